#include "tests/engine/search/query_world.h"

#include <gtest/gtest.h>

#include <set>

namespace cairn::search::testing {

World make_world(SegmentOptions options, DType dtype, std::uint32_t count, std::uint32_t dim) {
  Vectors vectors = random_vectors(dtype, dim, count, 12, options.seed);
  const Graph graph = brute_force_graph(vectors, kNear, kFar, options.seed);
  World world;
  world.limits = {options.metric, dtype, dim, 4};
  world.queries = random_vectors(dtype, dim, 10, 12, options.seed);  // the same centres
  world.options = options;
  world.owner = std::make_unique<SmallSegment>(std::move(vectors), graph, options);
  return world;
}

SearchResult search(const World& world, const SearchRequest& request, const RunOptions& options) {
  Query query(world.limits);
  const SmallSegment* owners[] = {world.owner.get()};
  const Segment segments[] = {world.owner->view()};
  auto result = run(query, request, owners, segments, options);
  EXPECT_TRUE(result) << result.error().to_string();
  return result ? std::move(*result) : SearchResult{};
}

std::vector<Neighbor> truth(const World& world, const SearchRequest& request) {
  const SmallSegment* owners[] = {world.owner.get()};
  return exact_search(request, world.limits.metric, owners);
}

void expect_same(const std::vector<Neighbor>& found, const std::vector<Neighbor>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].label, expected[i].label) << i;
    EXPECT_EQ(found[i].distance, expected[i].distance) << i;
  }
}

double recall(const std::vector<Neighbor>& found, const std::vector<Neighbor>& expected) {
  std::set<Label> labels;
  for (const Neighbor& n : expected) labels.insert(n.label);
  std::size_t hits = 0;
  for (const Neighbor& n : found) hits += labels.count(n.label);
  return static_cast<double>(hits) / static_cast<double>(expected.size());
}

}  // namespace cairn::search::testing
