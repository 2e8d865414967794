// Which candidates of a search are refined: those that may be read next, not all.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "engine/search/refinement_margin.h"
#include "tests/engine/search/query_world.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint32_t kList = 60;

TEST(RefinementMargin, IsInfiniteUntilItHasSeenSome) {
  RefinementMargin margin;
  for (int i = 0; i < 15; ++i) margin.add(1);
  EXPECT_EQ(margin.margin(), std::numeric_limits<float>::infinity());
  margin.add(1);
  EXPECT_FLOAT_EQ(margin.margin(), 1);
}

TEST(RefinementMargin, IsThreeDeviationsAboveTheMean) {
  RefinementMargin margin;
  for (int i = 0; i < 100; ++i) margin.add(i % 2 == 0 ? 5.0f : -3.0f);  // mean 1, deviation 4
  EXPECT_FLOAT_EQ(margin.margin(), 13);
}

TEST(RefinementMargin, KeepsItsDigitsOnLargeDistances) {
  RefinementMargin margin;
  for (int i = 0; i < 1000; ++i) margin.add(1e6f + static_cast<float>(i % 2));
  EXPECT_NEAR(margin.margin(), 1e6 + 2, 0.1);
}

TEST(RefinementMargin, IsInfiniteWhereDistancesAre) {
  RefinementMargin margin;
  for (int i = 0; i < 20; ++i) margin.add(-std::numeric_limits<float>::infinity());
  EXPECT_EQ(margin.margin(), std::numeric_limits<float>::infinity());
}

class Refining : public ::testing::TestWithParam<Metric> {
 protected:
  World world(std::uint32_t refine_m) const {
    return make_world({.metric = GetParam(), .refine_m = refine_m, .seed = 7});
  }
};

TEST_P(Refining, LooksAtFewOfTheCandidates) {
  const World w = world(8);
  std::uint32_t refined = 0, scored = 0;
  for (std::uint32_t i = 0; i < w.queries.count; ++i) {
    SearchRequest request = w.request(i, 10, kList);
    request.slack = 0.1f;
    const SearchCounters counters = search(w, request).counters;
    EXPECT_GT(counters.refined_distances, 0u);
    refined += counters.refined_distances;
    scored += counters.code_distances;
  }
  EXPECT_LT(2 * refined, scored);
}

/// The list of a search without slack is read whole: what may be in it has been refined.
TEST_P(Refining, LosesNothingOfAWholeList) {
  const World w = world(8), base = world(0);
  double with = 0, without = 0;
  for (std::uint32_t i = 0; i < w.queries.count; ++i) {
    const SearchRequest request = w.request(i, 10, kList);
    with += recall(search(w, request).neighbors, truth(w, request));
    without += recall(search(base, request).neighbors, truth(base, request));
  }
  EXPECT_GE(with, without);
}

/// So far from everything that no float holds its distances: all are equally far.
TEST_P(Refining, AnswersAQueryThatIsInfinitelyFar) {
  const World w = world(8);
  const std::vector<float> far(16, 1e19f);
  SearchRequest request = w.request(0, 10, kList);
  request.query.data = far.data();
  const SearchResult result = search(w, request);
  EXPECT_EQ(result.neighbors.size(), 10u);
  EXPECT_GE(result.counters.refined_distances, kList);
}

TEST_P(Refining, CountsNothingWhereThereIsNothing) {
  const World w = world(0);
  EXPECT_EQ(search(w, w.request(0, 10, kList)).counters.refined_distances, 0u);
}

INSTANTIATE_TEST_SUITE_P(Metrics, Refining,
                         ::testing::Values(Metric::l2, Metric::ip, Metric::cosine),
                         [](const auto& world) { return std::string(metric_name(world.param)); });

}  // namespace
}  // namespace cairn::search::testing
