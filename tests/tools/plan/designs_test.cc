// Bytes by structure, growth, and what is recommended.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tools/plan/footprint.h"
#include "tools/plan/growth.h"
#include "tools/plan/planner.h"
#include "tools/plan/report.h"

namespace cairn::tools::plan {
namespace {

constexpr double kGB = 1e9;

Workload many() { return {.count = 50'000'000, .dim = 768, .dtype = DType::f32}; }

Workload many_at(double qps, double p99_s) {
  Workload workload = many();
  workload.qps = qps;
  workload.p99_s = p99_s;
  return workload;
}

Result<Plan> tried(const Workload& workload) {
  return make_plan({.workload = workload,
                    .build = {.threads = 2, .memory_bytes = 64ULL << 30},
                    .device = assumed_device(),
                    .prices = *parse_prices(default_prices_text(), "built in")});
}

Plan planned(const Workload& workload) {
  auto plan = tried(workload);
  if (!plan) ADD_FAILURE() << plan.error().to_string();
  return plan ? *plan : Plan{};
}

const Row* recommended(const Plan& plan) {
  const auto at = std::ranges::find_if(plan.rows, &Row::recommended);
  return at == plan.rows.end() ? nullptr : &*at;
}

TEST(Footprint, HnswIsWhatItsRecordsAddUpTo) {
  const Footprint m16 = hnsw_footprint(many(), 16), m32 = hnsw_footprint(many(), 32);
  EXPECT_NEAR(m16.ram_bytes / kGB, 165.4, 0.1);
  EXPECT_NEAR(m16.disk_bytes / kGB, 161.0, 0.1);
  EXPECT_NEAR(m32.ram_bytes / kGB, 171.8, 0.1);
  EXPECT_NEAR(m32.disk_bytes / kGB, 167.4, 0.1);
}

TEST(Footprint, BytesStayBytesUnderL2Alone) {
  Workload bytes{.count = 1000, .dim = 128, .dtype = DType::u8};
  const double l2 = hnsw_footprint(bytes, 16).ram_bytes;
  bytes.metric = Metric::cosine;
  EXPECT_NEAR(hnsw_footprint(bytes, 16).ram_bytes - l2, 1000 * 3 * 128, 1);
}

TEST(Footprint, IvfHoldsRowsOrCodes) {
  const Workload workload = many();
  const double lists = static_cast<double>(ivf_lists(workload.count)) * 3072;
  EXPECT_NEAR(ivf_flat_footprint(workload).ram_bytes, 50e6 * 3080 + lists, 1);
  const double codes = ivf_pq_footprint(workload, 96, false).ram_bytes;
  EXPECT_NEAR(codes, 50e6 * 104 + lists + 256 * 3072, 1);
  EXPECT_NEAR(ivf_pq_footprint(workload, 96, true).ram_bytes - codes, 50e6 * 3072, 1);
}

TEST(CairnForm, LimitsLoadWhatTheySay) {
  const CairnForm form(many(), {}, 2e11);
  EXPECT_EQ(form.options().refine_layers, (std::vector<std::uint32_t>{6, 10, 8, 8, 64}));
  const auto states = form.states();
  ASSERT_EQ(states.size(), 5U);
  EXPECT_EQ(states.front().limit_bytes, form.smallest_bytes());
  EXPECT_EQ(states.front().refine_bytes, 0U);
  EXPECT_NEAR(static_cast<double>(states.front().ram_bytes) / 50e6, 32.2, 0.3);
  EXPECT_TRUE(states.back().all_edges);
  // Codes, refinement, four slices of 26 bits, entry points.
  EXPECT_NEAR(static_cast<double>(states.back().ram_bytes) / 50e6, 32 + 96 + 4 * 26 + 0.13, 1.5);
  for (const CairnState& state : states) EXPECT_LE(state.ram_bytes, state.limit_bytes);
  EXPECT_FALSE(form.at(form.smallest_bytes() / 2).has_value());
}

TEST(CairnForm, TheMemoryOfTheUserIsAmongThem) {
  Workload workload = many();
  workload.memory_bytes = 6ULL << 30;
  const auto states = CairnForm(workload, {}, 2e11).states();
  EXPECT_EQ(std::ranges::count(states, *workload.memory_bytes, &CairnState::limit_bytes), 1);
}

Series power(double exponent) {
  Series points;
  for (const std::uint64_t count : {5'000U, 10'000U, 20'000U, 40'000U})
    points.push_back({count, std::pow(static_cast<double>(count), exponent)});
  return points;
}

double half(const Estimate& of) { return (of.high - of.low) / 2 / of.value; }

TEST(Growth, FollowsAPowerOfTheCount) {
  // As usual: nothing pulls the slope away.
  const double exponent = kEdgesLead.slope / std::log(2);
  const Series points = power(exponent);
  const Trend trend = trend_of(std::array{points}, kEdgesLead);
  EXPECT_NEAR(trend.slope, kEdgesLead.slope, 1e-9);
  const Estimate ten = grow(points, 400'000, trend);
  EXPECT_NEAR(ten.value, std::pow(4e5, exponent), 1e-6);
  EXPECT_GT(half(ten), 0.05);
  EXPECT_LT(half(ten), 0.2);
  EXPECT_GT(half(grow(points, 4'000'000, trend)), half(ten));
  EXPECT_LT(half(grow(points, 40'000, trend)), half(ten));
}

TEST(Growth, WhatIsMeasuredWeighsMoreThanWhatIsUsual) {
  const Series steep = power(0.4);
  const double slope = 0.4 * std::log(2);
  const Trend trend = trend_of(std::array{steep}, kBlocksLead);
  EXPECT_LT(trend.slope, slope);
  EXPECT_GT(trend.slope, slope - (slope - kBlocksLead.slope) / 4);
  // One point says nothing.
  const Trend usual = trend_of(std::array{Series{{1000, 10}}}, kBlocksLead);
  EXPECT_DOUBLE_EQ(usual.slope, kBlocksLead.slope);
  EXPECT_DOUBLE_EQ(usual.slope_error, kBlocksLead.slope_error);
}

TEST(Growth, BendsWhereBlocksLead) {
  const Series points = power(0.2);
  Trend trend = trend_of(std::array{points}, kBlocksLead);
  const double bent = grow(points, 400'000, trend).value;
  const double at_the_end = grow(points, 40'000, trend).value;
  trend.bend = 0;
  EXPECT_GT(bent, grow(points, 400'000, trend).value);
  EXPECT_DOUBLE_EQ(at_the_end, grow(points, 40'000, trend).value);
}

TEST(Growth, NeverFallsAndGrowsEvenly) {
  const Series falling = {{1000, 30}, {2000, 20}, {4000, 10}};
  const Trend trend = trend_of(std::array{falling}, kEdgesLead);
  EXPECT_EQ(trend.slope, 0);
  EXPECT_NEAR(grow(falling, 100'000, trend).value, std::cbrt(6000.0), 1e-6);
  EXPECT_NEAR(grow_evenly({{1000, 10}, {2000, 12}, {4000, 14}}, 32'000), 20, 1e-9);
}

TEST(Advice, ClaimsASavingWhereAllIsMet) {
  const Workload workload = many_at(500, 0.02);
  const Plan plan = planned(workload);
  const Row* taken = recommended(plan);
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(taken->design.cairn);
  EXPECT_LE(taken->choice->service.p99_s, 0.02);
  EXPECT_GE(taken->choice->service.qps, 500);
  EXPECT_NE(advice(plan).find("this saves"), std::string::npos) << advice(plan);
  EXPECT_NE(advice(plan).find("154.1 GiB"), std::string::npos) << advice(plan);
  // By what the list says of the two machines.
  const double share = 1 - taken->choice->per_month / plan.rows.front().choice->per_month;
  EXPECT_NE(advice(plan).find(std::to_string(std::lround(100 * share)) + " %"), std::string::npos);
}

TEST(Advice, ClaimsNoSavingWhereTheRateOrTheTailIsMissed) {
  for (const auto& [qps, p99_s] : {std::pair(500.0, 1e-4), std::pair(1e6, 0.02)}) {
    const Plan plan = planned(many_at(qps, p99_s));
    EXPECT_EQ(recommended(plan), nullptr);
    EXPECT_EQ(advice(plan).find("saves"), std::string::npos) << advice(plan);
    EXPECT_NE(advice(plan).find("No saving is claimed"), std::string::npos) << advice(plan);
  }
}

/// A machine is chosen that is fast enough even where a search costs as much as it may.
TEST(Advice, TheUpperEndsOfIntervalsAreMetToo) {
  const Workload workload = many_at(500, 0.02);
  const Plan plan = planned(workload);
  const Row* taken = recommended(plan);
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(taken->choice->sure);
  SearchCost worst = taken->design.search;
  worst.core_s = Estimate::exact(worst.core_s.high);
  worst.reads = Estimate::exact(worst.reads.high);
  const Instance& instance = taken->choice->instance;
  EXPECT_GE(serve(worst, plan.device, *instance.nvme_iops_4k, instance.vcpus).qps, 500);
  // Something cheaper would do by its middle alone.
  EXPECT_NE(plan_text(plan).find("maybe"), std::string::npos);
}

TEST(Advice, ClaimsNoSavingThatTheIntervalsDoNotBear) {
  const Workload workload = many_at(500, 0.02);
  Plan plan = planned(workload);
  for (Row& row : plan.rows)
    if (row.choice) row.choice->sure = false;
  EXPECT_EQ(advice(plan).find("this saves"), std::string::npos) << advice(plan);
  EXPECT_NE(advice(plan).find("no saving is claimed"), std::string::npos) << advice(plan);
}

TEST(Advice, TakesWhatIsInRamWhereOnlyThatIsFastEnough) {
  Workload workload{.count = 100'000'000, .dim = 128, .dtype = DType::u8};
  workload.qps = 1000;
  workload.p99_s = 0.001;
  const Plan plan = planned(workload);
  for (const Row& row : plan.rows) EXPECT_FALSE(row.design.cairn && row.meets()) << row.design.name;
  const Row* taken = recommended(plan);
  ASSERT_NE(taken, nullptr);
  ASSERT_FALSE(taken->design.cairn);
  EXPECT_NE(advice(plan).find("saves nothing"), std::string::npos) << advice(plan);
}

/// What is sure is taken, and what is cheaper but may miss is named.
TEST(Advice, NamesWhatWouldBeCheaperButIsNotSure) {
  const Plan plan = planned(many_at(2000, 0.02));
  const Row* taken = recommended(plan);
  ASSERT_NE(taken, nullptr);
  ASSERT_FALSE(taken->design.cairn) << advice(plan);
  const bool cheaper = std::ranges::any_of(plan.rows, [&](const Row& row) {
    return row.design.cairn && row.meets() && row.choice->per_month < taken->choice->per_month;
  });
  ASSERT_TRUE(cheaper);
  EXPECT_EQ(advice(plan).find("saves"), std::string::npos) << advice(plan);
  EXPECT_NE(advice(plan).find("may do as well"), std::string::npos) << advice(plan);
}

/// The saving is against the least that HNSW may cost.
TEST(Advice, ASavingIsOfTheCheapestMachineOnWhichHnswMayDo) {
  for (const double qps : {100.0, 500.0, 1200.0}) {
    const Plan plan = planned(many_at(qps, 0.05));
    const Row& hnsw = plan.rows.front();
    ASSERT_TRUE(hnsw.cheapest.has_value());
    EXPECT_LE(hnsw.cheapest->per_month, hnsw.choice->per_month);
    EXPECT_GE(hnsw.cheapest->service.qps, hnsw.choice->service.qps / 4);
    for (const Row& row : plan.rows) {
      if (!row.choice) continue;
      const double asked = row.choice->instance.price_per_hour / (qps * 3600) * 1e6;
      if (row.choice->qps_met)
        EXPECT_NEAR(row.choice->per_million, asked, 1e-9);
      else
        EXPECT_GT(row.choice->per_million, asked);
    }
  }
}

/// Of two machines the small one is fast enough only if HNSW takes as little as it may.
TEST(Advice, TheCheapestMachineIsByTheLowerEnd) {
  const auto prices = parse_prices(
      R"({"currency": "EUR", "region": "r", "date": "2026-01-01", "source": "s", "instances": [
          {"name": "small", "vcpus": 4, "memory_gib": 256, "nvme_gb": 10, "nvme_iops_4k": 1000,
           "price_per_hour": 0.9},
          {"name": "large", "vcpus": 16, "memory_gib": 256, "nvme_gb": 10, "nvme_iops_4k": 1000,
           "price_per_hour": 1.3}]})",
      "two");
  const auto plan = make_plan({.workload = many_at(3000, 0.05),
                               .build = {.threads = 2, .memory_bytes = 64ULL << 30},
                               .device = assumed_device(),
                               .prices = *prices});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->rows.front().choice->instance.name, "large");
  EXPECT_EQ(plan->rows.front().cheapest->instance.name, "small");
}

TEST(Advice, TheTailWaitsForACoreAtTheRateAsked) {
  const auto p99_at = [](double qps) {
    const Plan plan = planned(many_at(qps, 1e-4));
    for (const Row& row : plan.rows)
      if (row.design.name == "IVF-PQ, reranked") return row.choice->service.p99_s;
    return 0.0;
  };
  const double lone = p99_at(1);
  EXPECT_GT(p99_at(300), lone);
  EXPECT_GT(p99_at(500), 1.02 * lone);
}

TEST(Plan, MoreNeighboursTakeLongerInRam) {
  Workload workload = many();
  const double ten = ram_designs(workload, 2).front().search.core_s.value;
  workload.k = 40;
  EXPECT_NEAR(ram_designs(workload, 2).front().search.core_s.value, 2 * ten, 1e-9);
}

TEST(Plan, WithoutASampleKnowsTenNeighboursOnly) {
  Workload workload = many();
  workload.k = 100;
  const auto plan = tried(workload);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
}

TEST(Plan, RefusesMoreThanABuildTakes) {
  Workload workload{.count = 5'000'000'000, .dim = 96, .dtype = DType::u8};
  const auto plan = tried(workload);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::over_limit);
}

/// A row of 4,096 bytes and its edges do not fit into a block of as many.
TEST(Plan, ReadsAreOfTheBlocksThatWouldBeBuilt) {
  const auto reads_at = [](std::uint32_t dim) {
    const Plan plan = planned({.count = 10'000'000, .dim = dim, .dtype = DType::f32});
    for (const Row& row : plan.rows)
      if (row.design.cairn) return row.design.search.reads.value;
    return 0.0;
  };
  EXPECT_NEAR(reads_at(1024) / reads_at(900), 3, 1e-3);
}

/// Where a cache holds every block, the tail has no reads either.
TEST(Plan, ACacheOfAllBlocksLeavesNoReads) {
  Workload workload{.count = 1'000'000, .dim = 128, .dtype = DType::u8};
  workload.memory_bytes = 8ULL << 30;
  const Plan plan = planned(workload);
  bool seen = false;
  for (const Row& row : plan.rows) {
    if (!row.design.state || row.design.state->limit_bytes != *workload.memory_bytes) continue;
    seen = true;
    EXPECT_LT(row.design.search.reads.value, 1e-6);
    EXPECT_LT(row.design.search.rounds_p99, 1e-6);
  }
  EXPECT_TRUE(seen);
}

TEST(Advice, ClaimsNothingWithoutARateAndATail) {
  const Plan plan = planned(many());
  EXPECT_EQ(advice(plan).find("this saves"), std::string::npos) << advice(plan);
  EXPECT_NE(advice(plan).find("no saving is claimed"), std::string::npos) << advice(plan);
}

TEST(Advice, SaysThatNothingIsSavedWhereAllFitsInRam) {
  const Plan plan = planned({.count = 500'000, .dim = 128, .dtype = DType::u8});
  const Row* taken = recommended(plan);
  ASSERT_NE(taken, nullptr);
  EXPECT_FALSE(taken->design.cairn);
  EXPECT_NE(advice(plan).find("saves nothing"), std::string::npos) << advice(plan);
}

TEST(Advice, CodesAloneAreNeverTakenForARecallTheyDoNotReach) {
  const Plan plan = planned(many());
  for (const Row& row : plan.rows) {
    if (row.design.name == "IVF-PQ, codes only") {
      EXPECT_FALSE(row.meets());
    }
  }
}

TEST(Advice, AListWithoutAMachineThatHoldsItSaysSo) {
  const auto small = parse_prices(
      R"({"currency": "EUR", "region": "r", "date": "2026-01-01", "source": "s", "instances": [
          {"name": "tiny", "vcpus": 1, "memory_gib": 1, "nvme_gb": 10, "nvme_iops_4k": 1000,
           "price_per_hour": 0.01}]})",
      "small");
  const auto plan = make_plan({.workload = many(),
                               .build = {.threads = 2, .memory_bytes = 64ULL << 30},
                               .device = assumed_device(),
                               .prices = *small});
  ASSERT_TRUE(plan.has_value());
  for (const Row& row : plan->rows) EXPECT_FALSE(row.choice.has_value());
  EXPECT_NE(advice(*plan).find("No design meets"), std::string::npos) << advice(*plan);
  EXPECT_NE(plan_text(*plan).find("none"), std::string::npos);
}

TEST(Report, TablesAreNarrow) {
  Workload workload = many_at(500, 0.02);
  workload.memory_bytes = 16ULL << 30;
  const Plan plan = planned(workload);
  std::string text = plan_text(plan);
  text.resize(text.find(advice(plan)));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    EXPECT_TRUE(line.size() <= 112 || line.starts_with("- Linux")) << line;
    at = end + 1;
  }
}

}  // namespace
}  // namespace cairn::tools::plan
