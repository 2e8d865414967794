#include "engine/build/space.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

std::vector<float> floats_of(const VectorBatch& batch) {
  std::vector<float> floats(batch.count * batch.dim);
  to_floats(batch, iota_order(batch.count), floats);
  return floats;
}

TEST(BuildSpace, OfL2IsTheRowsAsTheyAre) {
  const Rows rows = random_rows(50, 7, DType::i8, 1);
  const BuildSpace all(Metric::l2, rows.batch(), iota_order(50), kWorkers);
  EXPECT_EQ(all.vectors().data, rows.batch().data) << "no copy";
  const std::vector<std::uint32_t> some{3, 4, 40};
  const BuildSpace part(Metric::l2, rows.batch(), some, kWorkers);
  ASSERT_EQ(part.vectors().count, 3U);
  EXPECT_EQ(part.vectors().dtype, DType::i8);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(std::memcmp(part.vectors().row(i).data, rows.batch().row(some[i]).data, 7), 0);
}

TEST(BuildSpace, OfCosineHasUnitLength) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32}) {
    const Rows rows = random_rows(60, 9, dtype, 2);
    const BuildSpace space(Metric::cosine, rows.batch(), iota_order(60), kWorkers);
    ASSERT_EQ(space.vectors().dtype, DType::f32);
    const auto unit = floats_of(space.vectors()), raw = floats_of(rows.batch());
    for (std::size_t i = 0; i < 60; ++i) {
      double squared = 0, along = 0, length = 0;
      for (std::size_t d = i * 9; d < i * 9 + 9; ++d) {
        squared += double{unit[d]} * unit[d];
        along += double{unit[d]} * raw[d];
        length += double{raw[d]} * raw[d];
      }
      EXPECT_NEAR(squared, 1, 1e-6);
      EXPECT_NEAR(along, std::sqrt(length), 1e-5 * std::sqrt(length)) << "same direction";
    }
  }
}

TEST(BuildSpace, OfInnerProductTurnsLargestIntoNearest) {
  const Rows rows = random_rows(80, 6, DType::f32, 3);
  const BuildSpace space(Metric::ip, rows.batch(), iota_order(80), kWorkers);
  ASSERT_EQ(space.vectors().dim, 7U);
  const auto raw = floats_of(rows.batch()), augmented = floats_of(space.vectors());
  double largest = 0;
  std::vector<double> norms(80);
  for (std::size_t i = 0; i < 80; ++i) {
    for (std::size_t d = 0; d < 6; ++d) {
      EXPECT_EQ(augmented[i * 7 + d], raw[i * 6 + d]);
      norms[i] += double{raw[i * 6 + d]} * raw[i * 6 + d];
    }
    largest = std::max(largest, norms[i]);
  }
  for (std::size_t i = 0; i < 80; ++i)
    EXPECT_NEAR(augmented[i * 7 + 6] * augmented[i * 7 + 6], largest - norms[i], 1e-5 * largest);
  // For a query (q, 0): |q - x|^2 = |q|^2 + M^2 - 2 q.x, so both orders are one.
  for (std::size_t q = 0; q < 10; ++q)
    for (std::size_t a = 0; a < 80; ++a)
      for (std::size_t b = 0; b < 80; ++b) {
        double dot_a = 0, dot_b = 0, l2_a = 0, l2_b = 0;
        for (std::size_t d = 0; d < 7; ++d) {
          const double query = d < 6 ? double{raw[q * 6 + d]} : 0;
          dot_a += d < 6 ? query * raw[a * 6 + d] : 0;
          dot_b += d < 6 ? query * raw[b * 6 + d] : 0;
          l2_a += (query - augmented[a * 7 + d]) * (query - augmented[a * 7 + d]);
          l2_b += (query - augmented[b * 7 + d]) * (query - augmented[b * 7 + d]);
        }
        if (dot_a > dot_b + 1e-4) {
          EXPECT_LT(l2_a, l2_b);
        }
      }
}

TEST(CodeSpace, HasNoExtraElement) {
  const Rows rows = random_rows(20, 5, DType::u8, 4);
  std::vector<float> raw(20 * 5), unit(20 * 5);
  to_code_space(Metric::ip, rows.batch(), iota_order(20), raw);
  EXPECT_EQ(raw, floats_of(rows.batch()));
  to_code_space(Metric::cosine, rows.batch(), iota_order(20), unit);
  const BuildSpace space(Metric::cosine, rows.batch(), iota_order(20), kWorkers);
  EXPECT_EQ(unit, floats_of(space.vectors()));
}

TEST(DrawSample, IsDistinctAscendingAndSeeded) {
  const auto sample = draw_sample(1000, 100, 1);
  EXPECT_EQ(sample.size(), 100U);
  EXPECT_EQ(std::set<std::uint32_t>(sample.begin(), sample.end()).size(), 100U);
  EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
  EXPECT_LT(sample.back(), 1000U);
  EXPECT_EQ(sample, draw_sample(1000, 100, 1));
  EXPECT_NE(sample, draw_sample(1000, 100, 2));
  EXPECT_EQ(draw_sample(5, 100, 1), iota_order(5));
  EXPECT_TRUE(draw_sample(0, 100, 1).empty());
  // Each number is as likely as any other: 2000 draws of 10 of 100, 200 expected, sigma 13.4.
  std::vector<int> drawn(100);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const std::uint32_t i : draw_sample(100, 10, seed)) ++drawn[i];
  const auto [least, most] = std::minmax_element(drawn.begin(), drawn.end());
  EXPECT_GT(*least, 200 - 68);
  EXPECT_LT(*most, 200 + 68);
}

}  // namespace
}  // namespace cairn::build
