#include "engine/search/effort.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cairn::search {
namespace {

using layout::Calibration;
using layout::Curve;
using layout::CurvePoint;

constexpr std::uint32_t kWide = 4;

Curve curve(std::uint32_t refine, std::uint32_t edges, std::uint32_t k, std::uint32_t width,
            std::uint32_t list_size, std::vector<CurvePoint> points) {
  Curve made;
  made.record = {.refine_bytes = refine,
                 .nav_edges = edges,
                 .k = k,
                 .width = width,
                 .list_size = list_size,
                 .queries = 100,
                 .points = static_cast<std::uint32_t>(points.size()),
                 .reserved = 0};
  made.points = std::move(points);
  return made;
}

/// For k = 10 a short list that ends at 0.96 and a long one, and for k = 100 one list.
Calibration sample() {
  return {.source = layout::CalibrationSource::rows,
          .curves = {curve(0, 0, 10, 1, 20, {{0, 0.8F, 8, 500}, {0.2F, 0.96F, 16, 600}}),
                     curve(0, 0, 10, 1, 64, {{0, 0.8F, 8, 1500}, {0.4F, 1, 28, 2500}}),
                     curve(0, 0, 10, kWide, 20, {{0, 0.9F, 10, 600}, {0.1F, 0.96F, 18, 600}}),
                     curve(0, 0, 100, 1, 400, {{0.1F, 0.9F, 50, 9000}, {0.3F, 1, 150, 9900}}),
                     curve(8, 16, 10, 1, 20, {{0, 0.9F, 6, 500}, {0.1F, 1, 12, 600}})}};
}
EffortTable table(std::uint32_t refine = 0, std::uint32_t edges = 0) {
  return EffortTable(sample(), refine, edges, kWide);
}

/// What is aimed at is a little above what is asked.
TEST(Effort, LiesBetweenTheTwoPointsAroundTheRecall) {
  const Effort effort = table().at(10, 0.88);
  EXPECT_EQ(effort.list_size, 20U);
  EXPECT_NEAR(effort.recall, 0.884, 1e-6);
  EXPECT_NEAR(effort.slack_alone, 0.2 * 0.084 / 0.16, 1e-6);
  EXPECT_NEAR(effort.blocks, 8 + 8 * 0.084 / 0.16, 1e-5);
  EXPECT_TRUE(effort.reached);
  EXPECT_FALSE(effort.least);
}

TEST(Effort, ALongListIsTakenOnlyWhereTheShortOneDoesNotReach) {
  EXPECT_EQ(table().at(10, 0.95).list_size, 20U);
  const Effort effort = table().at(10, 0.98);
  EXPECT_EQ(effort.list_size, 64U);
  EXPECT_TRUE(effort.reached);
}

TEST(Effort, ALongListIsTakenWhereItSavesMoreReadsThanItsCodesCost) {
  Calibration calibration = sample();
  calibration.curves[1].points[1] = {0.4F, 1, 8, 1500};  // hardly a block more for any recall
  EXPECT_EQ(EffortTable(calibration, 0, 0, kWide).at(10, 0.95).list_size, 64U);
}

TEST(Effort, ALoneSearchHasASlackOfItsOwn) {
  const Effort effort = table().at(10, 0.93 - 0.004);
  EXPECT_NEAR(effort.slack_wide, 0.05, 1e-6);
  EXPECT_NEAR(effort.blocks_wide, 14, 1e-5);
  EXPECT_FLOAT_EQ(effort.slack(1, kWide), effort.slack_alone);
  EXPECT_FLOAT_EQ(effort.slack(kWide, kWide), effort.slack_wide);
  EXPECT_FLOAT_EQ(effort.slack(9, kWide), effort.slack_wide);
  EXPECT_NEAR(effort.slack(2, kWide),
              effort.slack_alone + (effort.slack_wide - effort.slack_alone) / 3, 1e-6);
  EXPECT_FALSE(effort.least_wide);
  EXPECT_TRUE(table().at(10, 0.86).least_wide);
  // Where the wide search was not measured the other's has to do.
  const Effort other = table().at(10, 0.98);
  EXPECT_FLOAT_EQ(other.slack_wide, other.slack_alone);
}

TEST(Effort, SaysWhenTheLeastIsMoreThanEnough) {
  const Effort effort = table().at(10, 0.5);
  EXPECT_TRUE(effort.least);
  EXPECT_TRUE(effort.reached);
  EXPECT_FLOAT_EQ(effort.slack_alone, 0);
  EXPECT_NEAR(effort.recall, 0.8, 1e-6);
}

TEST(Effort, SaysWhenAllIsNotEnough) {
  Calibration calibration = sample();
  calibration.curves[1].points[1].recall = 0.98F;
  const Effort effort = EffortTable(calibration, 0, 0, kWide).at(10, 0.99);
  EXPECT_FALSE(effort.reached);
  EXPECT_EQ(effort.list_size, 64U);
  EXPECT_FLOAT_EQ(effort.slack_alone, 0.4F);
  EXPECT_NEAR(effort.recall, 0.98, 1e-6);
}

TEST(Effort, BetweenMeasuredNeighboursItIsMixedByTheirLogarithm) {
  const Effort low = table().at(10, 0.95), high = table().at(100, 0.95);
  const Effort mixed = table().at(32, 0.95);
  const double t = std::log10(3.2);
  EXPECT_NEAR(mixed.slack_alone, low.slack_alone + t * (high.slack_alone - low.slack_alone), 1e-5);
  EXPECT_NEAR(mixed.blocks, low.blocks + t * (high.blocks - low.blocks), 1e-3);
  EXPECT_EQ(mixed.list_size, static_cast<std::uint32_t>(std::ceil(20 * std::pow(20, t))));
}

TEST(Effort, BeyondTheMostNeighboursItGrowsInProportion) {
  const Effort most = table().at(100, 0.95), more = table().at(250, 0.95);
  EXPECT_EQ(more.list_size, 1000U);
  EXPECT_FLOAT_EQ(more.slack_alone, most.slack_alone);
  EXPECT_NEAR(more.blocks, 2.5 * most.blocks, 1e-3);
  EXPECT_EQ(table().at(1, 0.95).list_size, 20U) << "below the fewest: theirs";
}

TEST(Effort, NoListIsLongerThanANumberCanSay) {
  Calibration calibration = sample();
  for (Curve& curve : calibration.curves) curve.record.list_size = 0xffff'ffff;
  const EffortTable hostile(calibration, 0, 0, kWide);
  EXPECT_EQ(hostile.at(10, 0.9).list_size, 0xffff'ffff);
  EXPECT_EQ(hostile.at(32, 0.9).list_size, 4'000'000'000);
  EXPECT_EQ(hostile.at(5000, 0.9).list_size, 4'000'000'000);
}

/// With edges the walk trusts the codes; where these are coarse, blocks find what it does not.
TEST(Effort, LeavesEdgesAloneWhereBlocksLeadForLess) {
  const Calibration calibration = {
      .source = layout::CalibrationSource::rows,
      .curves = {curve(8, 0, 10, 1, 64, {{0, 0.8F, 9, 800}, {0.3F, 1, 20, 2400}}),
                 curve(8, 0, 10, kWide, 64, {{0, 0.8F, 9, 800}, {0.1F, 1, 24, 2400}}),
                 curve(8, 0, 100, 1, 400, {{0, 0.8F, 90, 800}, {0.3F, 1, 200, 2400}}),
                 curve(8, 16, 10, 1, 20, {{0, 0.9F, 6, 800}, {0.1F, 0.96F, 40, 1600}}),
                 curve(8, 16, 100, 1, 140, {{0, 0.9F, 60, 800}, {0.2F, 1, 90, 1600}}),
                 curve(8, 24, 10, 1, 20, {{0, 0.9F, 5, 800}, {0.1F, 1, 10, 1600}})}};
  const EffortTable table(calibration, 8, 16, kWide);
  EXPECT_TRUE(table.at(10, 0.9).edges);
  EXPECT_EQ(table.at(10, 0.9).list_size, 20U);
  const Effort led = table.at(10, 0.95);
  EXPECT_FALSE(led.edges);
  EXPECT_EQ(led.list_size, 64U);
  EXPECT_FLOAT_EQ(led.slack_wide, static_cast<float>(0.1 * (0.954 - 0.8) / 0.2));
  EXPECT_FALSE(table.at(10, 0.99).edges) << "the walk does not get there";
  EXPECT_FALSE(table.at(10, 0.957).edges) << "the walk only just gets there";
  EXPECT_TRUE(table.at(100, 0.99).edges);
  EXPECT_TRUE(EffortTable(calibration, 8, 24, kWide).at(10, 0.99).edges);
  for (const std::uint32_t edges : {0U, 16U, 24U})
    EXPECT_LE(EffortTable(calibration, 8, edges, kWide).ram_bytes(),
              EffortTable::ram_bytes_max(calibration));
}

/// Without a curve of one block at a time there is nothing to compare.
TEST(Effort, CurvesOfWideSearchesAloneAreLeftOut) {
  Calibration calibration = sample();
  calibration.curves.back().record.refine_bytes = 0;
  calibration.curves.erase(calibration.curves.begin(), calibration.curves.begin() + 2);
  calibration.curves.erase(calibration.curves.begin() + 1);
  ASSERT_EQ(calibration.curves.size(), 2U);
  EXPECT_TRUE(EffortTable(calibration, 0, 16, kWide).at(10, 0.9).edges);
}

TEST(Effort, HoldsForWhatIsInMemoryOrForLess) {
  EXPECT_NEAR(table(8, 16).at(10, 0.9).blocks, 6.24, 1e-5);
  EXPECT_NEAR(table(32, 24).at(10, 0.9).blocks, 6.24, 1e-5);
  EXPECT_TRUE(table(8, 16).at(10, 0.9).edges);
  EXPECT_FALSE(table(0, 16).at(10, 0.9).edges) << "they were not measured";
  const double least = table(0, 0).at(10, 0.9).blocks;
  EXPECT_NEAR(table(8, 8).at(10, 0.9).blocks, least, 1e-9);
  EXPECT_NEAR(table(0, 16).at(10, 0.9).blocks, least, 1e-9);
  Calibration calibration = sample();
  calibration.curves.erase(calibration.curves.begin(), calibration.curves.end() - 1);
  EXPECT_TRUE(EffortTable(calibration, 0, 0, kWide).empty());
  EXPECT_FALSE(EffortTable(calibration, 8, 16, kWide).empty());
}

}  // namespace
}  // namespace cairn::search
