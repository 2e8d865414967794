#include "tools/build/plan_report.h"

#include <gtest/gtest.h>

namespace cairn::tools {
namespace {

BuildPlan plan() {
  return {.vectors = 10000000,
          .partitions = 48,
          .copies = 1.314,
          .memory_bytes = std::uint64_t{2} << 30,
          .memory_min_bytes = std::uint64_t{400} << 20,
          .disk_bytes = std::uint64_t{6} << 30,
          .index_bytes = std::uint64_t{3} << 30,
          .seconds = 2460,
          .phases = {{"scatter", 60, 10}, {"link", 2400, 48}}};
}

BuildReport report() {
  BuildReport report;
  report.vectors = 10000000;
  report.plan = plan();
  report.wall_s = 2642;
  report.memory_peak_bytes = std::uint64_t{1} << 30;
  report.disk_peak_bytes = (std::uint64_t{6} << 30) + (std::uint64_t{614} << 20);
  return report;
}

TEST(PlanText, IsATable) {
  EXPECT_EQ(plan_text(plan()),
            "plan: 10,000,000 vectors in 48 partitions, 1.31 linked copies of each\n"
            "phase    units  estimated\n"
            "scatter     10      1m00s\n"
            "link        48     40m00s\n"
            "all         58     41m00s\n"
            "memory: 2.0 GiB at most; the smallest that works is 400.0 MiB\n"
            "disk: 6.0 GiB at most while it builds, 3.0 GiB the finished index\n");
}

TEST(PlanText, HasNoTableOfTimesThatAreNotKnown) {
  BuildPlan small = plan();
  small.phases.clear();
  small.seconds = 0;
  const std::string text = plan_text(small);
  EXPECT_NE(text.find("\ntimes: not estimated"), std::string::npos) << text;
  EXPECT_EQ(text.find("0s"), std::string::npos) << text;
}

TEST(PlanText, SaysWhereItGoesOn) {
  BuildPlan begun = plan();
  begun.units_done = 31;
  EXPECT_NE(plan_text(begun).find("goes on: 31 of 58 units done\n"), std::string::npos);
}

TEST(PlanJson, HoldsAllOfIt) {
  BuildPlan begun = plan();
  begun.units_done = 31;
  EXPECT_EQ(plan_json(begun),
            (nlohmann::ordered_json{
                {"vectors", 10000000},
                {"partitions", 48},
                {"copies", 1.314},
                {"seconds", 2460.0},
                {"memory_bytes", std::uint64_t{2} << 30},
                {"memory_min_bytes", std::uint64_t{400} << 20},
                {"disk_bytes", std::uint64_t{6} << 30},
                {"index_bytes", std::uint64_t{3} << 30},
                {"units_done", 31},
                {"phases",
                 {nlohmann::ordered_json{{"name", "scatter"}, {"units", 10}, {"seconds", 60.0}},
                  nlohmann::ordered_json{{"name", "link"}, {"units", 48}, {"seconds", 2400.0}}}}}));
}

TEST(EstimateText, ComparesPlanAndReality) {
  EXPECT_EQ(estimate_text(report()),
            "estimated 41m00s, took 44m02s (7 % more)\n"
            "memory: 2.0 GiB planned, 1.0 GiB at most (50 % less)\n"
            "disk: 6.0 GiB planned, 6.6 GiB at most (10 % more)\n");
  EXPECT_EQ(estimate_text({}), "") << "nothing was planned";
}

TEST(ReportJson, HasPlanAndItsError) {
  const auto object = report_json(report());
  EXPECT_EQ(object.at("plan"), plan_json(plan()));
  EXPECT_NEAR(object.at("error").at("time"), 0.074, 0.001);
  EXPECT_NEAR(object.at("error").at("memory"), -0.5, 1e-9);
  EXPECT_NEAR(object.at("error").at("disk"), 0.1, 0.001);
  EXPECT_TRUE(report_json({}).at("error").at("time").is_null());
}

TEST(ReportText, EndsWithTheEstimate) {
  const std::string text = report_text(report());
  EXPECT_NE(text.find("10,000,000 vectors"), std::string::npos);
  EXPECT_TRUE(text.ends_with(estimate_text(report()))) << text;
}

}  // namespace
}  // namespace cairn::tools
