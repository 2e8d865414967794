#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "engine/search/block_set.h"
#include "engine/search/result_heap.h"
#include "engine/search/visited_filter.h"

namespace cairn::search {
namespace {

TEST(VisitedFilter, NeverClaimsToHaveSeenWhatItHasNot) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    VisitedFilter filter;
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    for (int i = 0; i < 60000; ++i) {
      const auto segment = static_cast<std::uint32_t>(random() % 20000);
      const auto slot = static_cast<std::uint32_t>(random() % 30);
      const bool is_new = filter.insert(segment, slot);
      const bool truly_new = seen.emplace(segment, slot).second;
      ASSERT_TRUE(is_new || !truly_new) << segment << ' ' << slot;
    }
  }
}

TEST(VisitedFilter, RemembersTheLastAndForgetsOnClear) {
  VisitedFilter filter;
  EXPECT_TRUE(filter.insert(3, 77));
  EXPECT_FALSE(filter.insert(3, 77));
  EXPECT_TRUE(filter.insert(4, 77));
  filter.clear();
  EXPECT_TRUE(filter.insert(3, 77));
}

TEST(BlockSet, AgreesWithASetWhileItGrows) {
  std::mt19937_64 random(7);
  BlockSet blocks;
  for (int round = 0; round < 3; ++round) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> model;
    blocks.reset(10);
    for (int i = 0; i < 5000; ++i) {
      const auto segment = static_cast<std::uint32_t>(random() % 3);
      const auto first = static_cast<std::uint32_t>(random() % 1500 * 13);
      ASSERT_EQ(blocks.contains(segment, first), model.contains({segment, first}));
      ASSERT_EQ(blocks.insert(segment, first), model.emplace(segment, first).second);
    }
  }
}

TEST(ResultHeap, KeepsTheBestOfEachLabel) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const std::uint32_t segments = 3;
    const std::size_t k = 1 + random() % 20;
    std::vector<Neighbor> offered;
    for (std::uint32_t s = 0; s < segments; ++s)
      for (Label label = 0; label < 30; ++label)
        if (random() % 2 == 0) offered.push_back({label, static_cast<float>(random() % 50)});
    std::shuffle(offered.begin(), offered.end(), random);

    ResultHeap heap;
    heap.reset(k, segments, 90);
    for (const Neighbor& n : offered)
      if (heap.admits(n.distance)) heap.insert(n);

    std::map<Label, float> best;
    for (const Neighbor& n : offered) {
      const auto [at, is_new] = best.emplace(n.label, n.distance);
      if (!is_new) at->second = std::min(at->second, n.distance);
    }
    std::vector<std::pair<float, Label>> expected;
    for (const auto& [label, distance] : best) expected.emplace_back(distance, label);
    std::sort(expected.begin(), expected.end());
    expected.resize(std::min(k, expected.size()));

    const std::vector<Neighbor> found = heap.take();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].distance, expected[i].first);
      EXPECT_EQ(found[i].label, expected[i].second);
    }
  }
}

TEST(ResultHeap, SaysWhetherItRefused) {
  ResultHeap heap;
  heap.reset(2, 1, 10);
  heap.insert({1, 1.0f});
  heap.insert({2, 2.0f});
  EXPECT_TRUE(heap.admits(2.0f));
  EXPECT_FALSE(heap.overflowed());
  EXPECT_FALSE(heap.admits(2.5f));
  EXPECT_TRUE(heap.overflowed());
}

}  // namespace
}  // namespace cairn::search
