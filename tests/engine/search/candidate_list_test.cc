#include "engine/search/candidate_list.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>

namespace cairn::search {
namespace {

using Key = std::tuple<float, std::uint32_t, std::uint32_t>;

/// The same list, done plainly.
struct Model {
  std::size_t capacity;
  std::map<Key, std::uint32_t> items;
  void offer(Key key, std::uint32_t flags) {
    items[key] |= flags;
    if (items.size() > capacity) items.erase(std::prev(items.end()));
  }
};

void expect_equal(const CandidateList& list, const Model& model) {
  ASSERT_EQ(list.size(), model.items.size());
  std::size_t i = 0;
  for (const auto& [key, flags] : model.items) {
    ASSERT_EQ(Key(list[i].distance, list[i].segment, list[i].slot), key) << i;
    ASSERT_EQ(list[i].flags, flags) << i;
    ++i;
  }
}

TEST(CandidateList, AgreesWithAPlainModel) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Model model{1 + random() % (seed % 2 == 0 ? 70 : 700), {}};
    CandidateList list;
    list.reset(model.capacity);
    // A distance must be a function of the candidate; a coarse one makes ties. Some are negative,
    // as those of inner products are, some larger than any counter.
    const std::uint32_t grains = seed % 3 == 0 ? 97 : 100'003;
    const float scale = seed % 5 == 0 ? 1e30f : 1, origin = seed % 7 == 0 ? 50 : 0;
    const auto distance_of = [=](std::uint32_t segment, std::uint32_t slot) {
      return (static_cast<float>((slot * 7919u + segment * 31u) % grains) - origin) * scale;
    };
    for (int round = 0; round < 40; ++round) {
      const auto segment = static_cast<std::uint32_t>(random() % 3);
      const auto flags = static_cast<std::uint32_t>(random() % 8);
      std::vector<std::uint32_t> slots;
      std::vector<float> distances;
      for (std::size_t i = random() % 200; i-- > 0;) {
        slots.push_back(static_cast<std::uint32_t>(random() % 2000));
        distances.push_back(distance_of(segment, slots.back()));
      }
      list.offer(segment, slots, distances.data(), flags);
      for (const std::uint32_t slot : slots)
        model.offer({distance_of(segment, slot), segment, slot}, flags);
      expect_equal(list, model);
    }
  }
}

TEST(CandidateList, NextWithoutFindsTheBestWhateverCameBefore) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    CandidateList list;
    list.reset(32);
    for (int step = 0; step < 200; ++step) {
      const auto flag = random() % 2 == 0 ? kExpanded : kRead;
      const std::size_t limit = random() % 2 == 0 ? 32 : 20;
      std::uint32_t expected = CandidateList::kNone;
      for (std::uint32_t i = 0; i < std::min(limit, list.size()); ++i) {
        if ((list[i].flags & flag) != 0) continue;
        expected = i;
        break;
      }
      ASSERT_EQ(list.next_without(flag, limit), expected);
      if (expected != CandidateList::kNone) list.set(expected, flag);
      const auto slot = static_cast<std::uint32_t>(random());
      const float distance = static_cast<float>(random() % 1000);
      list.offer(0, {&slot, 1}, &distance, 0);
    }
  }
}

TEST(CandidateList, BoundIsTheWorstOnceFull) {
  CandidateList list;
  list.reset(2);
  const std::uint32_t slots[] = {5, 6, 7};
  const float distances[] = {3, 1, 2};
  list.offer(0, {slots, 1}, distances, 0);
  EXPECT_EQ(list.bound(), std::numeric_limits<float>::max());
  list.offer(0, slots, distances, 0);
  EXPECT_EQ(list.bound(), 2);
  EXPECT_TRUE(list.contains(1, 0, 6));
  EXPECT_TRUE(list.contains(2, 0, 7));
  EXPECT_FALSE(list.contains(3, 0, 5));
  EXPECT_FALSE(list.contains(1, 1, 6));
}

TEST(CandidateList, HoldsFewerUntilToldToHoldMore) {
  CandidateList list;
  list.reset(4);
  list.hold(2);
  const std::uint32_t slots[] = {0, 1, 2, 3};
  const float distances[] = {3, 1, 2, 0};
  list.offer(0, slots, distances, 0);
  EXPECT_EQ(list.size(), 2u);
  EXPECT_EQ(list.bound(), 1);
  list.hold(4);
  EXPECT_EQ(list.bound(), std::numeric_limits<float>::max());
  list.offer(0, slots, distances, 0);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list.bound(), 3);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(list[i].distance, static_cast<float>(i));
}

TEST(CandidateList, AppendedCandidatesAreSorted) {
  CandidateList list;
  list.reset(4);
  for (const float distance : {2.0f, 0.0f, 3.0f, 1.0f})
    list.append({distance, 0, static_cast<std::uint32_t>(distance) + 10, 0});
  list.sort();
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(list[i].slot, 10 + i);
  EXPECT_EQ(list.next_without(kRead, 4), 0u);
}

}  // namespace
}  // namespace cairn::search
