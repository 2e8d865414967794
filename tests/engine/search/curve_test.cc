#include "engine/search/curve.h"

#include <gtest/gtest.h>

#include <limits>

namespace cairn::search {
namespace {

constexpr float kFree = std::numeric_limits<float>::lowest();
constexpr float kNoEnd = std::numeric_limits<float>::max();

/// Two searches for two neighbours: an easy one, and one that needs a slack of 0.3.
std::vector<Trace> sample() {
  return {{.needed = {kFree, 0.5F}, .found = {0, 2, 2}, .codes = {10, 10, 20}},
          {.needed = {kFree, 0.1F, 0.3F}, .found = {0, 0, 1, 2}, .codes = {30, 40, 50, 60}}};
}

TEST(Curve, BeginsWithWhatIsReadBeforeAnythingBoundsASearch) {
  const auto curve = make_curve(sample(), 2, kNoEnd);
  EXPECT_LE(curve.front().slack, -0.9F);
  EXPECT_FLOAT_EQ(curve.front().recall, 0.5F);
  EXPECT_FLOAT_EQ(curve.front().blocks, 1);
  EXPECT_FLOAT_EQ(curve.front().codes, (10 + 40) / 2.0F);
}

TEST(Curve, GoesToTheLastBlock) {
  const auto curve = make_curve(sample(), 2, kNoEnd);
  ASSERT_EQ(curve.size(), 4U);
  EXPECT_FLOAT_EQ(curve[1].slack, 0.1F);
  EXPECT_FLOAT_EQ(curve[1].recall, 0.75F);
  EXPECT_FLOAT_EQ(curve[1].blocks, 1.5F);
  EXPECT_FLOAT_EQ(curve[2].recall, 1);
  EXPECT_FLOAT_EQ(curve[3].slack, 0.5F);
  EXPECT_FLOAT_EQ(curve[3].blocks, 2.5F);
}

TEST(Curve, EndsWhereItsTracesWereCutOff) {
  const auto curve = make_curve(sample(), 2, 0.2F);
  EXPECT_FLOAT_EQ(curve.back().slack, 0.1F);
  EXPECT_FLOAT_EQ(curve.back().recall, 0.75F);
}

TEST(Curve, OfTracesWithoutABlockIsItsBeginning) {
  const std::vector<Trace> traces{{.needed = {}, .found = {0}, .codes = {7}}};
  const auto curve = make_curve(traces, 2, kNoEnd);
  ASSERT_EQ(curve.size(), 1U);
  EXPECT_EQ(curve[0].recall, 0);
}

TEST(Curve, AMeanAtASlackIsThatOfTheSearchesThatWouldStop) {
  const auto at = [](float slack) { return mean_at(sample(), 2, slack); };
  EXPECT_FLOAT_EQ(at(0).recall, 0.5F);
  EXPECT_FLOAT_EQ(at(0.1F).recall, 0.75F);
  EXPECT_FLOAT_EQ(at(0.3F).recall, 1);
  EXPECT_FLOAT_EQ(at(0.3F).blocks, 2);
  EXPECT_FLOAT_EQ(at(0.3F).codes, (10 + 60) / 2.0F);
  EXPECT_FLOAT_EQ(at(kNoEnd).blocks, 2.5F);
}

}  // namespace
}  // namespace cairn::search
