// An index of two segments, as a merge leaves one: two built folders in one, their files under
// numbers that are free, one manifest. Everything that a folder of one segment does, over both.
#include <cairn/index.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "engine/math/distance.h"
#include "io/fs.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint32_t kDim = 16;
constexpr std::uint64_t kFirst = 2000, kSecond = 1100, kCount = kFirst + kSecond;
/// Labels of the two segments interleave.
Label label_of(std::uint64_t row) { return row < kFirst ? 2 * row : 2 * (row - kFirst) + 1; }

void build_part(const std::string& folder, const Rows& all, std::uint64_t begin,
                std::uint64_t count) {
  Rows rows{.bytes = {}, .dim = kDim, .dtype = all.dtype};
  const std::size_t row_bytes = all.batch().row_bytes();
  const auto from = all.bytes.begin() + static_cast<std::ptrdiff_t>(begin * row_bytes);
  rows.bytes.assign(from, from + static_cast<std::ptrdiff_t>(count * row_bytes));
  std::vector<Label> labels;
  for (std::uint64_t i = 0; i < count; ++i) labels.push_back(label_of(begin + i));
  build::build_index(
      folder, rows,
      {.code_bytes = 8, .refine_bytes = 8, .degree = 24, .threads = 2, .calibration_rows = 0},
      labels);
}

class Segments : public ::testing::Test {
 protected:
  Segments() : rows_(build::random_rows(kCount, kDim, DType::u8, 11)) {
    build_part(folder_, rows_, 0, kFirst);
    build_part(dir_.file("second"), rows_, kFirst, kSecond);
    merge_segments(dir_.file("second"), folder_);
  }

  VectorView row(std::uint64_t i) const { return rows_.batch().row(i); }

  /// The ten nearest labels among the allowed.
  std::vector<Label> nearest(const SearchRequest& request) const {
    const math::Scorer scorer(Metric::l2, request.query);
    std::vector<std::pair<float, Label>> all;
    for (std::uint64_t i = 0; i < kCount; ++i)
      if (!request.allow || request.allow(label_of(i)))
        all.emplace_back(scorer(row(i).data, 1.0F), label_of(i));
    std::ranges::sort(all);
    std::vector<Label> labels;
    for (std::size_t i = 0; i < 10; ++i) labels.push_back(all[i].second);
    return labels;
  }

  /// Share of the true ten that `results` of the requests hold.
  double recall(std::span<const SearchRequest> requests,
                std::span<const Result<SearchResult>> results) const {
    std::size_t found = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (!results[i]) ADD_FAILURE() << results[i].error().to_string();
      if (!results[i]) continue;
      const auto truth = nearest(requests[i]);
      for (const Neighbor& n : results[i]->neighbors)
        found += std::ranges::count(truth, n.label) != 0 ? 1 : 0;
    }
    return static_cast<double>(found) / (10.0 * static_cast<double>(requests.size()));
  }

  std::vector<SearchRequest> requests(std::uint32_t list_size) const {
    std::vector<SearchRequest> requests;
    for (std::uint64_t i = 0; i < kCount; i += 31)
      requests.push_back({.query = row(i), .k = 10, .list_size = list_size});
    return requests;
  }

  ScratchDir dir_;
  std::string folder_ = dir_.file("index");
  Rows rows_;
};

TEST_F(Segments, AreSearchedAsOne) {
  for (const std::uint64_t limit : {smallest_limit(folder_), std::uint64_t{1} << 30}) {
    const auto index = must(Index::open(folder_, {.memory_limit_bytes = limit}), "open");
    EXPECT_EQ(index->stats().vector_count, kCount);
    const auto asked = requests(40);
    EXPECT_GE(recall(asked, index->search_batch(asked)), 0.95) << limit;
    std::vector<Result<SearchResult>> alone;
    for (const SearchRequest& request : asked) alone.push_back(index->search(request));
    EXPECT_GE(recall(asked, alone), 0.95) << limit;
    std::set<bool> segments;
    for (const auto& result : alone)
      for (const Neighbor& n : result->neighbors) segments.insert(n.label % 2 == 0);
    EXPECT_EQ(segments.size(), 2u);
  }
}

TEST_F(Segments, AnAllowSetHoldsOverBoth) {
  const auto index = must(Index::open(folder_), "open");
  auto asked = requests(60);
  for (std::size_t i = 0; i < asked.size(); ++i)
    asked[i].allow = [third = i % 3](Label label) { return label % 3 == third; };
  const auto results = index->search_batch(asked);
  for (std::size_t i = 0; i < results.size(); ++i)
    for (const Neighbor& n : must(results[i], "search").neighbors) EXPECT_EQ(n.label % 3, i % 3);
  EXPECT_GE(recall(asked, results), 0.9);
}

TEST_F(Segments, AllOfBothWhenKIsAboveTheirNumber) {
  const auto index = must(Index::open(folder_), "open");
  const auto all =
      must(index->search({.query = row(0), .k = 2 * kCount, .list_size = 2 * kCount}), "search");
  std::set<Label> labels;
  for (const Neighbor& n : all.neighbors) labels.insert(n.label);
  EXPECT_EQ(labels.size(), kCount);
}

TEST_F(Segments, AreFetchedScannedInspectedAndVerified) {
  const auto index = must(Index::open(folder_), "open");
  for (std::uint64_t i = 0; i < kCount; i += 7) {
    const auto bytes = must(index->get(label_of(i)), "get");
    EXPECT_EQ(std::memcmp(bytes.data(), row(i).data, bytes.size()), 0) << i;
  }
  EXPECT_TRUE(fails_with(index->get(2 * kCount), ErrorCode::not_found));

  std::set<Label> seen;
  const auto scan = must(index->scan(), "scan");
  std::vector<std::byte> rows(100 * kDim);
  std::vector<Label> labels(100);
  while (const std::size_t count = must(scan->next(rows, labels), "next"))
    seen.insert(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(count));
  EXPECT_EQ(seen.size(), kCount);

  EXPECT_EQ(must(index->inspect(), "inspect").vectors, kCount);
  const auto report = must(index->verify(), "verify");
  EXPECT_TRUE(report.ok()) << report.problems.front().to_string();
  EXPECT_EQ(report.vectors, kCount);
}

TEST_F(Segments, DamageInTheSecondIsFound) {
  flip_bit(folder_ + "/000007.blocks", 5000);
  const auto index = must(Index::open(folder_), "open");
  const auto report = must(index->verify(), "verify");
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.problems.front().to_string().find("000007.blocks"), std::string::npos);
}

}  // namespace
}  // namespace cairn::search::testing
