#include "engine/build/label_runs.h"

#include <algorithm>
#include <random>

#include "tests/engine/build/test_job.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

using Pairs = std::vector<std::pair<Label, std::uint32_t>>;

/// Labels of `count` rows in runs of `unit_rows`.
struct TestRuns {
  sim::SimFs fs;
  std::vector<Label> labels;
  std::uint64_t unit_rows;
  Rows rows;
  TestJob test;

  TestRuns(std::vector<Label> all, std::uint64_t unit)
      : labels(std::move(all)),
        unit_rows(unit),
        rows{std::vector<std::byte>(labels.size()), 1, DType::u8},
        test(fs, "work", rows, {}, labels) {
    for (std::uint64_t first = 0; first < labels.size(); first += unit)
      EXPECT_TRUE(ok(write_label_run(
          test.job(), first / unit, first,
          std::span<const Label>(labels).subspan(first, std::min(unit, labels.size() - first)))));
  }
  Pairs merged() {
    Pairs pairs;
    EXPECT_TRUE(
        ok(merge_label_runs(test.job(), unit_rows, [&](Label label, std::uint32_t row) -> Status {
          pairs.emplace_back(label, row);
          return {};
        })));
    return pairs;
  }
};

TEST(LabelRuns, MergeInOrderOfLabelsAndRows) {
  std::mt19937_64 random(1);
  // More than a run's buffer holds, equal labels within and across runs, the largest label too.
  for (const std::uint64_t unit : {100U, 1'000U, 7'000U, 100'000U}) {
    std::vector<Label> labels(20'500);
    for (Label& label : labels) label = random() % 3 == 0 ? random() % 50 : random();
    labels[20'499] = ~Label{0};
    Pairs expected;
    for (std::uint32_t row = 0; row < labels.size(); ++row) expected.emplace_back(labels[row], row);
    std::sort(expected.begin(), expected.end());
    TestRuns runs(labels, unit);
    const std::size_t files = must(runs.fs.list("work")).size();
    for (int again = 0; again < 2; ++again)
      ASSERT_TRUE(ok(gather_label_runs(runs.test.job(), unit)));
    // Not every unit of many is a file that is open.
    EXPECT_EQ(must(runs.fs.list("work")).size() < files, unit == 100);
    EXPECT_EQ(runs.merged(), expected);
    EXPECT_EQ(runs.merged(), expected) << "as often as one likes";
    EXPECT_TRUE(ok(remove_label_runs(runs.test.job(), unit)));
    EXPECT_EQ(must(runs.fs.list("work")), std::vector<std::string>{std::string(kJournalName)});
  }
}

TEST(LabelRuns, EndWithTheFirstErrorOfTheVisit) {
  TestRuns runs({3, 1, 2}, 2);
  std::uint32_t calls = 0;
  const Status status =
      merge_label_runs(runs.test.job(), 2, [&](Label label, std::uint32_t) -> Status {
        ++calls;
        if (label == 2) return fail(ErrorCode::invalid_argument, "enough");
        return {};
      });
  ASSERT_FALSE(status);
  expect_error(status.error(), ErrorCode::invalid_argument, {"enough"});
  EXPECT_EQ(calls, 2U);
}

TEST(LabelRuns, ThatAreDamagedAreRefused) {
  TestRuns runs(std::vector<Label>(3000, 5), 1000);
  auto bytes = runs.fs.bytes("work/labels-1.part");
  bytes[9000] ^= std::byte{4};
  runs.fs.set_bytes("work/labels-1.part", bytes);
  const Status status =
      merge_label_runs(runs.test.job(), 1000, [](Label, std::uint32_t) -> Status { return {}; });
  ASSERT_FALSE(status);
  expect_error(status.error(), ErrorCode::corrupt, {"labels-1.part"});
}

}  // namespace
}  // namespace cairn::build
