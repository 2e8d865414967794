#include "engine/build/cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "engine/build/carve.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

Cells train(const Rows& rows, const CellOptions& options, const Workers& workers = kWorkers) {
  return Cells::train({Metric::l2, rows.dtype, rows.dim, 0}, rows.batch(), options, workers);
}

std::vector<Home> homes_of(const Cells& cells, const VectorBatch& rows) {
  std::vector<Home> homes(rows.count);
  Cells::Scratch scratch;
  cells.assign(rows, homes, scratch);
  return homes;
}

std::vector<float> floats_of(const VectorBatch& batch) {
  std::vector<float> floats(batch.count * batch.dim);
  to_floats(batch, iota_order(batch.count), floats);
  return floats;
}

/// Members of every cell when each of `rows` stands for `weight` vectors.
std::vector<double> members_of(const Cells& cells, const VectorBatch& rows, double weight) {
  std::vector<double> members(cells.count());
  for (const Home& home : homes_of(cells, rows)) {
    members[home.first] += weight;
    if (home.second != kNoCell) members[home.second] += weight;
  }
  return members;
}

TEST(Cells, OneHoldsAll) {
  const Rows rows = random_rows(100, 4, DType::u8, 1);
  const Cells cells = train(rows, {.cells = 1, .vectors = 100});
  EXPECT_EQ(cells.count(), 1U);
  for (const Home& home : homes_of(cells, rows.batch())) {
    EXPECT_EQ(home.first, 0U);
    EXPECT_EQ(home.second, kNoCell);
  }
}

TEST(Cells, HomesAreTheNearestAndTheNextWithinTheBorder) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32}) {
    const Rows rows = random_rows(3000, 6, dtype, 2);
    const Cells cells = train(rows, {.cells = 9, .members_max = 1e9, .vectors = 3000, .seed = 3});
    ASSERT_GE(cells.count(), 5U);
    const auto vectors = floats_of(rows.batch());
    const auto centroids = cells.centroids();
    const auto homes = homes_of(cells, rows.batch());
    std::uint64_t seconds = 0;
    for (std::size_t i = 0; i < homes.size(); ++i) {
      std::vector<std::pair<double, std::uint32_t>> near;
      for (std::uint32_t c = 0; c < cells.count(); ++c) {
        double sum = 0;
        for (std::size_t d = 0; d < 6; ++d)
          sum += std::pow(double{vectors[i * 6 + d]} - double{centroids[c * 6 + d]}, 2);
        near.emplace_back(sum, c);
      }
      std::sort(near.begin(), near.end());
      const auto [d1, first] = near[0];
      const auto [d2, second] = near[1];
      if (d2 - d1 > 1e-4 * d2) {
        EXPECT_EQ(homes[i].first, first);
      }
      seconds += homes[i].second == kNoCell ? 0U : 1U;
      if (std::abs(d2 - cells.border() * d1) < 1e-4 * d2) continue;  // rounding decides
      EXPECT_EQ(homes[i].second != kNoCell, d2 < cells.border() * d1) << "row " << i;
      if (homes[i].second != kNoCell && near[2].first - d2 > 1e-4 * d2 && d2 - d1 > 1e-4 * d2) {
        EXPECT_EQ(homes[i].second, second);
      }
    }
    EXPECT_GT(seconds, 0U);
    EXPECT_LE(cells.border(), kBorderMax);
    EXPECT_LE(static_cast<double>(seconds), kSecondShare * static_cast<double>(homes.size()) + 5);
  }
}

TEST(Cells, AreTheSameForAnyNumberOfThreads) {
  for (const DType dtype : {DType::u8, DType::f32}) {
    const Rows rows = random_rows(9000, 8, dtype, 4);
    const CellOptions options{.cells = 12, .members_max = 900, .vectors = 9000, .seed = 5};
    const Cells one = train(rows, options, Workers(1));
    for (const std::uint32_t threads : {2U, 5U}) {
      const Cells more = train(rows, options, Workers(threads));
      EXPECT_TRUE(std::ranges::equal(one.centroids(), more.centroids())) << threads;
    }
    CellOptions other = options;
    other.seed = 6;
    EXPECT_FALSE(std::ranges::equal(one.centroids(), train(rows, other, Workers(1)).centroids()));
  }
}

TEST(Cells, ThatAreTooFullAreSplit) {
  // Most rows in one small clump: k-means alone leaves it in one cell.
  Rows rows = random_rows(6000, 5, DType::f32, 7);
  for (std::uint64_t i = 0; i < 5000; ++i)
    for (std::uint32_t d = 0; d < 5; ++d) {
      float value;
      std::memcpy(&value, rows.row(i).data() + d * 4, 4);
      value = 0.5F + value * 1e-2F;
      std::memcpy(rows.row(i).data() + d * 4, &value, 4);
    }
  const double weight = 10;  // each row of the sample stands for so many vectors
  CellOptions options{.cells = 6, .members_max = 1e9, .vectors = 60'000, .seed = 1};
  const auto loose = members_of(train(rows, options), rows.batch(), weight);
  EXPECT_GT(*std::ranges::max_element(loose), 9000);
  options.members_max = 9000;
  const Cells cells = train(rows, options);
  EXPECT_GT(cells.count(), 8U);
  for (const double members : members_of(cells, rows.batch(), weight))
    EXPECT_LE(members, options.members_max);
}

TEST(Cells, OfEqualRowsEnd) {
  Rows rows = random_rows(500, 4, DType::u8, 8);
  for (std::uint64_t i = 1; i < 500; ++i) copy_row(rows, 0, i);
  const CellOptions options{.cells = 5, .members_max = 10, .vectors = 5e6, .seed = 1};
  const Cells one = train(rows, options);
  EXPECT_EQ(one.count(), 1U);
  EXPECT_EQ(homes_of(one, rows.batch())[7].first, 0U);
  // Two values, far apart, neither of which can be split.
  std::memset(rows.row(3).data(), 250, 4);
  std::memset(rows.row(4).data(), 250, 4);
  const Cells two = train(rows, options);
  EXPECT_EQ(two.count(), 2U);
  const auto homes = homes_of(two, rows.batch());
  EXPECT_NE(homes[3].first, homes[0].first);
  EXPECT_EQ(homes[3].first, homes[4].first);
}

TEST(Cells, OfAChainStandInItsOrder) {
  // Clumps along a line: neighbouring cells are neighbours on it.
  Rows rows{std::vector<std::byte>(800 * 4), 1, DType::f32};
  for (std::uint64_t i = 0; i < 800; ++i) {
    const float value = static_cast<float>(i * 37 % 8 * 100) + static_cast<float>(i) * 1e-4F;
    std::memcpy(rows.row(i).data(), &value, 4);
  }
  const Cells cells = train(rows, {.cells = 8, .members_max = 1e9, .vectors = 800, .seed = 1});
  ASSERT_GE(cells.count(), 4U);
  const auto centroids = cells.centroids();
  // From its first each step goes to the nearest that is left.
  for (std::size_t i = 0; i + 1 < centroids.size(); ++i)
    for (std::size_t j = i + 2; j < centroids.size(); ++j)
      EXPECT_LE(std::abs(centroids[i] - centroids[i + 1]), std::abs(centroids[i] - centroids[j]));
}

TEST(Cells, ComeBackFromTheirCentroids) {
  const Rows rows = random_rows(400, 6, DType::i8, 9);
  const Cells cells = train(rows, {.cells = 4, .members_max = 1e9, .vectors = 400, .seed = 1});
  const auto floats = cells.centroids();
  const Cells back({Metric::l2, DType::i8, 6, 0}, {floats.begin(), floats.end()}, cells.border());
  ASSERT_EQ(back.count(), cells.count());
  const auto a = homes_of(cells, rows.batch()), b = homes_of(back, rows.batch());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    EXPECT_EQ(a[i].second, b[i].second);
  }
}

// Of high dimension every vector is near a border; no more than a share is linked twice.
TEST(Cells, HaveABorderThatNotTooManyAreNear) {
  Rows rows{io::random_bytes(3000 * 64, 2), 64, DType::u8};
  const Cells cells = train(rows, {.cells = 6, .members_max = 1e9, .vectors = 3000, .seed = 1});
  ASSERT_GT(cells.count(), 2U);
  EXPECT_LT(cells.border(), kBorderMax);
  const auto homes = homes_of(cells, rows.batch());
  const auto seconds =
      std::ranges::count_if(homes, [](const Home& home) { return home.second != kNoCell; });
  EXPECT_NEAR(static_cast<double>(seconds), kSecondShare * 3000, 30);
}

}  // namespace
}  // namespace cairn::build
