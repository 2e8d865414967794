// What is made of an examination: which finding comes first, and what is none.
#include "tools/doctor/findings.h"

#include <gtest/gtest.h>

namespace cairn::tools {
namespace {

SearchedSet searched(double recall, MissReason reason) {
  SearchedSet set;
  set.queries = 1000;
  set.k = 10;
  set.recall = recall;
  set.recall_error = 0.002;
  set.missed = static_cast<std::uint64_t>((1 - recall) * 10000);
  set.missed_for[static_cast<std::size_t>(reason)] = set.missed;
  return set;
}

/// Calibrated by rows for recall 0.95, all well.
Examination healthy() {
  Examination seen;
  seen.stats.vector_count = 100'000;
  seen.stats.calibrated = true;
  seen.structure.degree_histogram = {0, 10, 99'990};
  seen.structure.vectors = seen.structure.places = 100'000;
  seen.calibration.state = CalibrationHealth::State::fits;
  seen.calibration.from_rows = true;
  seen.effort = SearchEffort{.list_size = 64, .recall = 0.954, .reached = true};
  seen.rows = searched(0.953, MissReason::not_read);
  seen.queries = searched(0.951, MissReason::not_read);
  seen.drift = Drift{.median_ratio = 1.02, .beyond_rows = 0.02};
  seen.partitions = {{50'000, 5000}, {50'000, 5000}};
  return seen;
}

std::vector<Finding> findings(const Examination& seen) {
  return findings_of(seen, {.index = "index", .queries = "q", .recall = 0.95, .by_recall = true});
}
std::string first(const Examination& seen) {
  const auto found = findings(seen);
  return found.empty() ? "none" : found.front().name;
}

TEST(Findings, NoneOfAHealthyIndex) { EXPECT_EQ(findings(healthy()).size(), 0U); }

TEST(Findings, DriftTakesWhatTheRowsDoNotLose) {
  Examination seen = healthy();
  seen.drift = Drift{.median_ratio = 1.6, .beyond_rows = 0.8};
  seen.queries = searched(0.75, MissReason::misranked);
  auto found = findings(seen);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "drift");
  EXPECT_EQ(found[0].severity, Severity::serious);
  EXPECT_NEAR(found[0].weight, 0.2, 1e-9);
  // Rows that are not found either are no fault of the queries.
  seen.rows = searched(0.80, MissReason::misranked);
  found = findings(seen);
  EXPECT_EQ(found[0].name, "misranked");
  EXPECT_NEAR(found[0].weight, 0.15, 1e-9);
  EXPECT_EQ(found[1].name, "drift");
  EXPECT_NEAR(found[1].weight, 0.05, 1e-9);
}

TEST(Findings, DriftThatCostsNothingIsAWarning) {
  Examination seen = healthy();
  seen.drift = Drift{.median_ratio = 1.6, .beyond_rows = 0.8};
  const auto found = findings(seen);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].severity, Severity::warning);
}

TEST(Findings, FewQueriesAreNoDriftByChance) {
  Examination seen = healthy();
  seen.queries->queries = 10;
  seen.drift->beyond_rows = 0.1;
  EXPECT_EQ(first(seen), "none");
  seen.drift->beyond_rows = 0.3;
  EXPECT_EQ(first(seen), "drift");
}

TEST(Findings, APointOfRecallIsWorthAWarning) {
  Examination seen = healthy();
  seen.queries = searched(0.9395, MissReason::not_read);  // +- 0.002
  EXPECT_EQ(first(seen), "none");
  seen.queries = searched(0.937, MissReason::not_read);
  EXPECT_EQ(first(seen), "not_read");
  EXPECT_EQ(findings(seen)[0].severity, Severity::warning);
  seen.queries = searched(0.929, MissReason::not_read);
  EXPECT_EQ(findings(seen)[0].severity, Severity::serious);
}

TEST(Findings, ALossIsDividedAmongItsReasons) {
  Examination seen = healthy();
  seen.queries = searched(0.85, MissReason::not_read);
  seen.queries->missed_for = {0, 300, 1100, 0, 100};
  const auto found = findings(seen);
  ASSERT_EQ(found.size(), 2U);  // 100 of 1,500 are too few
  EXPECT_EQ(found[0].name, "list_short");
  EXPECT_EQ(found[1].name, "misranked");
  EXPECT_NEAR(found[0].weight, 0.1 * 11 / 15, 1e-6);
}

TEST(Findings, VectorsOutOfReachAreSeriousHoweverFew) {
  Examination seen = healthy();
  seen.unreachable = 1;
  EXPECT_EQ(first(seen), "not_reachable");
  EXPECT_EQ(findings(seen)[0].severity, Severity::serious);
  seen.queries = searched(0.8, MissReason::misranked);
  EXPECT_EQ(first(seen), "misranked");  // which costs more
}

TEST(Findings, WhatTheCalibrationIsWorth) {
  Examination seen = healthy();
  seen.queries.reset();
  seen.drift.reset();
  seen.rows = searched(0.985, MissReason::not_read);
  EXPECT_EQ(first(seen), "calibration_stale");
  seen.calibration.state = CalibrationHealth::State::less;
  EXPECT_EQ(first(seen), "calibration_less");
  EXPECT_EQ(findings(seen)[0].severity, Severity::note);
  seen = healthy();
  seen.queries = searched(0.99, MissReason::not_read);
  EXPECT_EQ(first(seen), "more_than_asked");
  seen = healthy();
  seen.effort->reached = false;
  EXPECT_EQ(first(seen), "calibration_short");
}

TEST(Findings, ShapesWorthANote) {
  Examination seen = healthy();
  seen.partitions = {{10'000, 9000}, {80'000, 500}, {5'000, 300}, {5'000, 200}};
  seen.structure.places = 300'000;
  std::vector<std::string> names;
  for (const Finding& finding : findings(seen)) names.push_back(finding.name);
  EXPECT_EQ(names, (std::vector<std::string>{"skew", "busy_partition", "sparse_blocks"}));
}

}  // namespace
}  // namespace cairn::tools
