#include "engine/build/leaf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "engine/math/distance.h"
#include "tests/engine/math/rows.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr std::uint32_t kDim = 20, kEdges = 5, kRoom = 2000;

/// What every member is offered: its nearest, and those that it is among the nearest of.
std::vector<std::vector<Candidate>> by_hand(const VectorBatch& vectors,
                                            const std::vector<std::uint32_t>& leaf,
                                            std::uint32_t edges) {
  const math::PairKernel distance = math::l2_kernel(vectors.dtype);
  std::vector<std::vector<Candidate>> rows(vectors.count);
  for (std::size_t i = 0; i < leaf.size(); ++i) {
    std::vector<std::pair<float, std::size_t>> others;  // ties by place in the leaf
    for (std::size_t j = 0; j < leaf.size(); ++j)
      if (j != i)
        others.push_back(
            {distance(vectors.row(leaf[i]).data, vectors.row(leaf[j]).data, vectors.dim), j});
    std::sort(others.begin(), others.end());
    others.resize(std::min<std::size_t>(edges, others.size()));
    for (const auto& [far, j] : others) {
      rows[leaf[i]].push_back({far, leaf[j]});
      rows[leaf[j]].push_back({far, leaf[i]});
    }
  }
  for (auto& row : rows) {
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end(),
                          [](const Candidate& a, const Candidate& b) { return a.id == b.id; }),
              row.end());
  }
  return rows;
}

/// Leaves of sizes around the borders of panels and of rows taken at once.
TEST(Leaf, EveryMemberIsOfferedItsNearestBothWays) {
  const auto bytes = math::random_bytes(kRoom * kDim, kSeed);
  const VectorBatch vectors{bytes.data(), kRoom, kDim, DType::u8};
  LeafScratch scratch;
  for (std::size_t size : {2U, 3U, 6U, 23U, 24U, 25U, 63U, 64U, 65U, 71U, 72U, 73U, 127U, 128U,
                           129U, 192U, 320U, 639U, 640U}) {
    SCOPED_TRACE(size);
    std::vector<std::uint32_t> leaf(size);
    for (std::size_t i = 0; i < size; ++i)  // no order, none twice: 7 and kRoom share no factor
      leaf[i] = static_cast<std::uint32_t>((i * 7 + size) % kRoom);
    CandidateRows rows(kRoom, 700);
    link_leaf(vectors, leaf, kEdges, rows, scratch);
    const auto expected = by_hand(vectors, leaf, kEdges);
    std::vector<Candidate> row;
    for (std::uint32_t node = 0; node < kRoom; ++node) {
      rows.sorted(node, row);
      ASSERT_EQ(row.size(), expected[node].size()) << node;
      for (std::size_t e = 0; e < row.size(); ++e) {
        ASSERT_EQ(row[e].id, expected[node][e].id) << node;
        ASSERT_EQ(row[e].distance, expected[node][e].distance) << node;
      }
    }
  }
}

TEST(Leaf, OneMemberAloneIsOfferedNothing) {
  const auto bytes = math::random_bytes(2 * kDim, kSeed);
  CandidateRows rows(2, 8);
  LeafScratch scratch;
  const std::vector<std::uint32_t> leaf{1};
  link_leaf({bytes.data(), 2, kDim, DType::u8}, leaf, kEdges, rows, scratch);
  EXPECT_TRUE(rows.ids(1).empty());
}

}  // namespace
}  // namespace cairn::build
