// When a calibration is run once more, and which of both counts.
#include "engine/build/trial.h"

#include <gtest/gtest.h>

#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kCores = 2;

/// Linking kept the cores busy for this share of its second; the first of the files waited long.
Trial trial_of(double busy, double read_s, double write_syncs_s) {
  Trial trial;
  trial.phases["read"] = {.work_s = read_s, .syncs_s = 0.5, .core_s = 1};
  trial.phases["link"] = {.work_s = 1, .syncs_s = 0.1, .core_s = busy * kCores};
  trial.phases["write"] = {.work_s = 3, .syncs_s = write_syncs_s, .core_s = 2};
  return trial;
}

/// What comes of `trials` run in turn, and how many of them ran.
struct Outcome {
  Trial trial;
  std::size_t runs = 0;
};
Outcome run(const std::vector<Trial>& trials) {
  Outcome outcome;
  outcome.trial =
      must(undisturbed(kCores, [&]() -> Result<Trial> { return trials.at(outcome.runs++); }));
  return outcome;
}

TEST(Trial, OneThatKeptItsThreadsBusyCounts) {
  for (const double busy : {0.86, 0.95, 1.0}) {
    const Outcome outcome = run({trial_of(busy, 2, 2), trial_of(1, 1, 1)});
    EXPECT_EQ(outcome.runs, 1u) << busy;
    EXPECT_EQ(outcome.trial.phase("read").work_s, 2);
    EXPECT_EQ(outcome.trial.phase("write").syncs_s, 2);
  }
}

TEST(Trial, ADisturbedOneRunsOnceMoreAndTheLesserTimeOfEachPhaseCounts) {
  for (const double busy : {0.2, 0.84}) {
    const Outcome outcome = run({trial_of(busy, 2, 0.25), trial_of(0.95, 1, 4)});
    EXPECT_EQ(outcome.runs, 2u) << busy;
    EXPECT_EQ(outcome.trial.phase("read").work_s, 1) << "of the second";
    EXPECT_EQ(outcome.trial.phase("write").syncs_s, 0.25) << "of the first";
    EXPECT_EQ(outcome.trial.phase("write").work_s, 3) << "of both";
    const Outcome turned = run({trial_of(busy, 1, 4), trial_of(0.95, 2, 0.25)});
    EXPECT_EQ(turned.trial.phase("read").work_s, 1) << "of the first";
    EXPECT_EQ(turned.trial.phase("write").syncs_s, 0.25) << "of the second";
  }
}

TEST(Trial, IsRunNoMoreThanTwice) {
  EXPECT_EQ(run({trial_of(0.2, 1, 1), trial_of(0.2, 1, 1), trial_of(1, 1, 1)}).runs, 2u);
}

TEST(Trial, AnErrorOfEitherRunIsAnError) {
  for (const std::size_t failing : {1u, 2u}) {
    std::size_t runs = 0;
    const auto trial = undisturbed(kCores, [&]() -> Result<Trial> {
      if (++runs == failing) return fail(ErrorCode::io, "read");
      return trial_of(0.2, 1, 1);
    });
    ASSERT_FALSE(trial);
    EXPECT_EQ(trial.error().code, ErrorCode::io);
    EXPECT_EQ(runs, failing);
  }
}

}  // namespace
}  // namespace cairn::build
