#include "engine/search/query.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "tests/engine/search/query_world.h"

namespace cairn::search::testing {
namespace {

// ---- every metric, element type and amount of navigation --------------------------------------

struct Kind {
  Metric metric;
  DType dtype;
  std::uint32_t nav_slices;
  std::uint32_t refine_m;
};

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
    for (const DType dtype : {DType::u8, DType::i8, DType::f32})
      for (std::uint32_t slices = 0; slices <= kAllSlices; ++slices)
        for (const std::uint32_t refine_m : {0u, 8u})
          kinds.push_back({metric, dtype, slices, refine_m});
  return kinds;
}

std::string kind_name(const ::testing::TestParamInfo<Kind>& info) {
  return std::string(metric_name(info.param.metric)) + "_" +
         std::string(dtype_name(info.param.dtype)) + "_nav" +
         std::to_string(info.param.nav_slices) + "_refine" + std::to_string(info.param.refine_m);
}

class EveryKind : public ::testing::TestWithParam<Kind> {
 protected:
  /// Made once for each kind.
  const World& world() const {
    static std::map<std::string, World> worlds;
    const Kind& kind = GetParam();
    const std::string name = kind_name({kind, 0});
    if (const auto at = worlds.find(name); at != worlds.end()) return at->second;
    return worlds[name] = make_world({.metric = kind.metric,
                                      .refine_m = kind.refine_m,
                                      .hole_every = 11,
                                      .nav_slices = kind.nav_slices,
                                      .seed = 3},
                                     kind.dtype);
  }
};

TEST_P(EveryKind, LargeListEqualsExactSearch) {
  const World& w = world();
  for (std::uint32_t i = 0; i < w.queries.count; ++i) {
    const SearchRequest request = w.request(i, 10, kCount / 2);
    const SearchResult result = search(w, request);
    expect_same(result.neighbors, truth(w, request));
    EXPECT_EQ(result.stop, Stop::list_exhausted);
  }
}

TEST_P(EveryKind, AskingForAllReturnsAll) {
  const World& w = world();
  for (const std::uint32_t k : {kCount, kCount + 5, 1000 * kCount, 0xffff'ffffu}) {
    const SearchRequest request = w.request(0, k, 0);
    const SearchResult result = search(w, request);
    expect_same(result.neighbors, truth(w, request));
    EXPECT_EQ(result.stop, Stop::exhausted);
    EXPECT_EQ(result.counters.exact_distances, kCount);
  }
}

TEST_P(EveryKind, AllButOneIsReachedThroughTheGraph) {
  const World& w = world();
  for (const Order order : {Order::first_in, Order::random}) {
    const SearchRequest request = w.request(1, kCount - 1, kCount - 1);
    const SearchResult result = search(w, request, {.order = order, .seed = 5});
    EXPECT_EQ(result.neighbors.size(), kCount - 1);
    EXPECT_EQ(result.stop, Stop::list_exhausted);
    EXPECT_LE(result.counters.reads, w.owner->block_count());
    EXPECT_GE(recall(result.neighbors, truth(w, request)), 1.0 - 2.0 / kCount);
  }
}

INSTANTIATE_TEST_SUITE_P(Query, EveryKind, ::testing::ValuesIn(all_kinds()), kind_name);

// ---- the order of arrival ---------------------------------------------------------------------

class EveryNav : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  World world(SegmentOptions options = {}) const {
    options.nav_slices = GetParam();
    return make_world(options);
  }
};

TEST_P(EveryNav, AnyOrderOfArrivalIsValid) {
  const World w = world();
  double sum = 0;
  int runs = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    for (const Order order : {Order::first_in, Order::last_in, Order::random}) {
      for (std::uint32_t wants_max : {1u, 3u, 64u}) {
        SearchRequest all = w.request(static_cast<std::uint32_t>(seed % 10), kCount, 0);
        SearchRequest request = all;
        request.k = 10;
        request.list_size = 60;
        const SearchResult result =
            search(w, request, {.order = order, .seed = seed, .wants_max = wants_max});
        ASSERT_EQ(result.neighbors.size(), 10u);
        const std::vector<Neighbor> exact = truth(w, all);
        for (std::size_t i = 0; i < 10; ++i) {
          const Neighbor& n = result.neighbors[i];
          const auto at = std::find_if(exact.begin(), exact.end(),
                                       [&](const Neighbor& e) { return e.label == n.label; });
          ASSERT_NE(at, exact.end());
          EXPECT_EQ(at->distance, n.distance);
          EXPECT_LE(result.neighbors[i == 0 ? 0 : i - 1].distance, n.distance);
        }
        sum += recall(result.neighbors, {exact.begin(), exact.begin() + 10});
        ++runs;
      }
    }
  }
  EXPECT_GT(sum / runs, 0.9);
}

TEST_P(EveryNav, SameOrderSameAnswer) {
  const World w = world();
  const SearchRequest request = w.request(2, 10, 50);
  const RunOptions options{.order = Order::random, .seed = 9, .hit_share = 0.3};
  const SearchResult first = search(w, request, options);
  const SearchResult second = search(w, request, options);
  expect_same(first.neighbors, second.neighbors);
  EXPECT_EQ(first.counters.reads, second.counters.reads);
  EXPECT_EQ(first.counters.cache_hits, second.counters.cache_hits);
  EXPECT_EQ(first.counters.code_distances, second.counters.code_distances);
  EXPECT_EQ(first.counters.expanded, second.counters.expanded);
  EXPECT_GT(first.counters.cache_hits, 0u);
}

TEST_P(EveryNav, NeverWantsABlockTwiceNorMoreThanTheBeam) {
  const World w = world();
  const SearchRequest request = w.request(3, 10, 100);
  const Segment segments[] = {w.owner->view()};
  Query query(w.limits);
  query.start(request, segments);
  std::set<std::uint32_t> seen;
  std::vector<BlockWant> outstanding, wanted(64);
  for (;;) {
    const std::uint32_t count = query.wants(wanted);
    for (std::uint32_t i = 0; i < count; ++i) {
      EXPECT_EQ(wanted[i].first_slot % segments[0].shape.slots, 0u);
      EXPECT_TRUE(seen.insert(wanted[i].first_slot).second);
      outstanding.push_back(wanted[i]);
    }
    EXPECT_TRUE(segments[0].nav_complete || outstanding.size() <= w.limits.beam_width);
    if (query.done()) break;
    ASSERT_FALSE(outstanding.empty());
    const BlockWant want = outstanding.back();
    outstanding.pop_back();
    ASSERT_TRUE(query.absorb(want, w.owner->page(want.first_slot), io::BlockSource::disk));
  }
  EXPECT_TRUE(outstanding.empty());
  EXPECT_EQ(query.take().counters.reads, seen.size());
}

TEST_P(EveryNav, AnAbandonedSearchLeavesNoTrace) {
  const World w = world();
  const SearchRequest request = w.request(4, 10, 40), other = w.request(5, 20, 90);
  const SearchResult expected = search(w, request);
  const SmallSegment* owners[] = {w.owner.get()};
  const Segment segments[] = {w.owner->view()};
  Query query(w.limits);
  query.start(other, segments);
  BlockWant wanted[3];
  ASSERT_EQ(query.wants(wanted), 3u);
  ASSERT_TRUE(query.absorb(wanted[1], w.owner->page(wanted[1].first_slot), io::BlockSource::disk));
  const auto result = run(query, request, owners, segments);
  ASSERT_TRUE(result);
  expect_same(result->neighbors, expected.neighbors);
  EXPECT_EQ(result->counters.reads, expected.counters.reads);
  EXPECT_EQ(result->counters.code_distances, expected.counters.code_distances);
}

// ---- limits -----------------------------------------------------------------------------------

TEST_P(EveryNav, ReadsMaxIsKept) {
  const World w = world();
  for (const std::uint32_t reads_max : {1u, 3u, 8u}) {
    SearchRequest request = w.request(6, 5, 200);
    request.reads_max = reads_max;
    const SearchResult result = search(w, request);
    EXPECT_EQ(result.stop, Stop::reads_max);
    EXPECT_EQ(result.counters.reads, reads_max);
    EXPECT_EQ(result.neighbors.size(), 5u);
    const SearchResult half = search(w, request, {.seed = 2, .hit_share = 0.5});
    EXPECT_LE(half.counters.reads, reads_max);
  }
  SearchRequest request = w.request(6, 5, 40);
  request.reads_max = 10000;
  EXPECT_EQ(search(w, request).stop, Stop::list_exhausted);
}

TEST_P(EveryNav, DeadlineEndsTheSearch) {
  const World w = world();
  SearchRequest request = w.request(7, 5, 40);
  request.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  const SearchResult late = search(w, request);
  EXPECT_EQ(late.stop, Stop::deadline);
  EXPECT_EQ(late.counters.reads, 0u);
  request.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  EXPECT_EQ(search(w, request).stop, Stop::list_exhausted);
}

TEST_P(EveryNav, OnlyAdmittedLabelsAreReturned) {
  const World w = world();
  SearchRequest request = w.request(8, 10, kCount / 2);
  request.allow = [](Label label) { return label % 3 == 0; };
  const SearchResult result = search(w, request);
  expect_same(result.neighbors, truth(w, request));
  request.k = kCount;
  const SearchResult all = search(w, request);
  expect_same(all.neighbors, truth(w, request));
  EXPECT_EQ(all.stop, Stop::exhausted);
}

// Fewer than k of the vectors that a small list reads are admitted: all of these are returned, and
// no other.
TEST_P(EveryNav, ASelectiveFilterGetsWhatASmallListReads) {
  const World w = world();
  std::size_t returned = 0;
  for (std::uint32_t i = 0; i < 10; ++i) {
    SearchRequest request = w.request(i, 10, 20);
    const auto admits = [](Label label) { return label % 60 == 0; };
    std::set<Label> asked;
    request.allow = [&](Label label) {
      asked.insert(label);
      return admits(label);
    };
    const SearchResult result = search(w, request);
    EXPECT_LT(asked.size(), kCount);
    EXPECT_EQ(asked.size(), result.counters.exact_distances);
    SearchRequest every = request;
    every.allow = admits;
    every.k = kCount;
    std::vector<Neighbor> expected = truth(w, every);
    std::erase_if(expected, [&](const Neighbor& n) { return !asked.contains(n.label); });
    ASSERT_LT(expected.size(), request.k);
    expect_same(result.neighbors, expected);
    EXPECT_EQ(result.stop, Stop::list_exhausted);
    returned += expected.size();
  }
  EXPECT_GT(returned, 0u);
}

INSTANTIATE_TEST_SUITE_P(Query, EveryNav, ::testing::Range(0u, kAllSlices + 1));

// ---- segments ---------------------------------------------------------------------------------

TEST(Query, SegmentsAreSearchedAsOne) {
  for (std::uint32_t slices = 0; slices <= kAllSlices; ++slices) {
    for (const bool shared : {false, true}) {
      const World a = make_world({.nav_slices = slices, .seed = 21});
      const Segment first = a.owner->view();
      SegmentOptions options{.slots_per_block = 5, .nav_slices = slices, .seed = 22};
      options.first_label = 1500;  // labels 1500..1599 stand in both
      if (shared) options.codebook = first.codebook;
      const World b = make_world(options);
      const SmallSegment* owners[] = {a.owner.get(), b.owner.get()};
      const Segment segments[] = {first, b.owner->view()};
      Query query(a.limits);
      for (const std::uint32_t k : {10u, 200u, 2 * kCount}) {
        for (std::uint32_t i = 0; i < 6; ++i) {
          const SearchRequest request = (i % 2 == 0 ? a : b).request(i, k, 2 * kCount - 2);
          const auto result = run(query, request, owners, segments, {.order = Order::random});
          ASSERT_TRUE(result);
          expect_same(result->neighbors, exact_search(request, Metric::l2, owners));
        }
      }
    }
  }
}

TEST(Query, NoSegmentsNoResults) {
  const World w = make_world({});
  const SearchRequest request = w.request(0, 10, 0);
  Query query(w.limits);
  query.start(request, {});
  BlockWant wanted[4];
  EXPECT_EQ(query.wants(wanted), 0u);
  EXPECT_TRUE(query.done());
  const SearchResult result = query.take();
  EXPECT_TRUE(result.neighbors.empty());
  EXPECT_EQ(result.stop, Stop::exhausted);
}

// ---- rounds and refinement --------------------------------------------------------------------

TEST(Query, WithAllEdgesInRamOneRoundIsEnough) {
  const World w = make_world({.nav_slices = kAllSlices});
  const SearchRequest request = w.request(0, 10, 50);
  const Segment segments[] = {w.owner->view()};
  Query query(w.limits);
  query.start(request, segments);
  std::vector<BlockWant> wanted(1000), more(1000);
  const std::uint32_t count = query.wants(wanted);
  EXPECT_GT(count, 0u);
  EXPECT_LE(count, 50u);
  EXPECT_EQ(query.wants(more), 0u);
  EXPECT_FALSE(query.done());
  for (std::uint32_t i = 0; i < count; ++i)
    ASSERT_TRUE(
        query.absorb(wanted[i], w.owner->page(wanted[i].first_slot), io::BlockSource::disk));
  EXPECT_EQ(query.wants(more), 0u);
  EXPECT_TRUE(query.done());
  EXPECT_EQ(query.take().stop, Stop::list_exhausted);
}

TEST(Query, RefinementRaisesRecallAtASmallList) {
  for (const std::uint32_t slices : {0u, kAllSlices}) {
    double with = 0, without = 0;
    const SegmentOptions coarse{.m = 2, .slots_per_block = 1, .nav_slices = slices, .seed = 4};
    SegmentOptions fine = coarse;
    fine.refine_m = 16;
    const World a = make_world(coarse), b = make_world(fine);
    for (std::uint32_t i = 0; i < 10; ++i) {
      const SearchRequest request = a.request(i, 10, 12);
      without += recall(search(a, request).neighbors, truth(a, request));
      with += recall(search(b, request).neighbors, truth(a, request));
    }
    EXPECT_GT(with, without + 0.5) << slices;
  }
}

}  // namespace
}  // namespace cairn::search::testing
