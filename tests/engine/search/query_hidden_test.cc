// A vector that is hidden from a search: the search goes on as if it were not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/engine/search/query_world.h"

namespace cairn::search::testing {
namespace {

class Hidden : public ::testing::TestWithParam<SegmentOptions> {};

/// Runs a search for vector i, which is hidden or not.
SearchResult search_for(const World& w, std::uint32_t i, std::uint32_t list_size, bool hide) {
  SearchRequest request = w.request(0, 10, list_size);
  request.query = w.owner->vectors().row(i);
  const Segment segment = w.owner->view();
  Query query(w.limits);
  query.start(request, {&segment, 1},
              hide ? std::optional(Ref{0, w.owner->slot_of(i)}) : std::nullopt);
  std::vector<BlockWant> wants(8);
  while (!query.done()) {
    const std::uint32_t count = query.wants(wants);
    for (std::uint32_t b = 0; b < count; ++b)
      EXPECT_TRUE(
          query.absorb(wants[b], w.owner->page(wants[b].first_slot), io::BlockSource::disk));
  }
  return query.take();
}

TEST_P(Hidden, IsNotFoundAndTheOthersAre) {
  const World w = make_world(GetParam());
  double found = 0;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const Label self = w.owner->label_of(i);
    const SearchResult seen = search_for(w, i, 150, false), hidden = search_for(w, i, 150, true);
    const auto is_self = [&](const Neighbor& n) { return n.label == self; };
    EXPECT_TRUE(std::ranges::any_of(seen.neighbors, is_self)) << i;
    EXPECT_FALSE(std::ranges::any_of(hidden.neighbors, is_self)) << i;
    ASSERT_EQ(hidden.neighbors.size(), 10U);
    // The nine others that were found with it are nearly always found without it.
    std::set<Label> labels;
    for (const Neighbor& n : hidden.neighbors) labels.insert(n.label);
    for (const Neighbor& n : seen.neighbors)
      found += !is_self(n) && labels.contains(n.label) ? 1 : 0;
  }
  EXPECT_GT(found, 0.97 * 40 * 9);
}

TEST_P(Hidden, IsNotFoundByASearchOfEverything) {
  const World w = make_world(GetParam());
  const SearchResult hidden = search_for(w, 5, kCount, true);
  EXPECT_EQ(hidden.counters.exact_distances, kCount - 1);
  SearchRequest request = w.request(0, 11, kCount);
  request.query = w.owner->vectors().row(5);
  auto expected = truth(w, request);
  std::erase_if(expected, [&](const Neighbor& n) { return n.label == w.owner->label_of(5); });
  expected.resize(10);
  expect_same(hidden.neighbors, expected);
}

INSTANTIATE_TEST_SUITE_P(
    Worlds, Hidden,
    ::testing::Values(SegmentOptions{}, SegmentOptions{.refine_m = 8, .nav_slices = 1},
                      SegmentOptions{.refine_m = 8, .nav_slices = kAllSlices},
                      SegmentOptions{.metric = Metric::cosine, .hole_every = 5}),
    [](const auto& world) {
      return std::string(metric_name(world.param.metric)) + "_" +
             std::to_string(world.param.refine_m) + "_" + std::to_string(world.param.nav_slices);
    });

}  // namespace
}  // namespace cairn::search::testing
