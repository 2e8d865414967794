#include "tests/reliability/power_scenes.h"

#include <algorithm>

#include "engine/build/builder_fs.h"
#include "engine/build/calibrate_index.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_rows.h"

namespace cairn::reliability {
namespace {

using sim::SimFs;

/// How vectors are handed in.
struct Batches {
  std::uint64_t rows = 0;                   // of each
  std::uint64_t unsafe_rows = 0;            // the builder syncs whenever there are so many
  std::uint64_t until = FaultRows::kCount;  // fewer: the caller is gone by then
};

struct Drawn {
  BuildOptions build;
  Batches batches;
};

Drawn draw(std::uint64_t seed) {
  math::Rng rng(seed);
  BuildOptions options;
  options.degree = static_cast<std::uint32_t>(8 + rng.below(9));
  options.code_bytes = static_cast<std::uint32_t>(1 + rng.below(4));
  options.refine_bytes = static_cast<std::uint32_t>(rng.below(3) * 2);
  options.nav_edges = 8;
  options.threads = 1;
  options.partitions = static_cast<std::uint32_t>(1 + rng.below(5));
  options.calibration_rows = rng.below(4) == 0 ? 8 : 0;
  options.seed = 1 + rng.below(1000);
  options.memory_bytes = std::uint64_t{1} << 30;
  // Each batch is synced, or every second or third.
  const Batches batches{.rows = 50 + rng.below(50), .unsafe_rows = 1 + rng.below(150)};
  return {options, batches};
}

PowerRun build_on(io::Fs& fs, const BuildOptions& options) {
  FaultRows source;
  PowerRun run;
  const auto report = build::build_index(fs, kPowerFolder, source, options);
  if (!report) run.status = fail(report.error());
  if (report) run.units = report->plan.units_done;
  return run;
}

Status hand_in(io::Fs& fs, const BuildOptions& options, const Batches& by, PowerRun& run) {
  const FaultRows rows;
  CAIRN_ASSIGN(auto builder, build::create_builder(fs, kPowerFolder, FaultRows::kDim, DType::u8,
                                                   options, by.unsafe_rows * FaultRows::kDim));
  run.found = run.handed = run.safe = builder->added();
  while (run.handed < by.until) {
    const std::uint64_t first = run.handed, count = std::min(by.rows, by.until - first);
    run.handed += count;
    CAIRN_TRY(builder->add(rows.batch(first, count), rows.labels().subspan(first, count)));
    if (builder->added() != run.handed)
      return fail(ErrorCode::invalid_argument, "a builder that miscounts");
    run.safe = std::max(run.safe, run.handed - std::min(run.handed, by.unsafe_rows - 1));
  }
  if (by.until < FaultRows::kCount) return {};
  CAIRN_ASSIGN(const BuildReport report, builder->finish());
  run.units = report.plan.units_done;
  return {};
}

PowerRun build_by_batches_on(io::Fs& fs, BuildOptions options, const Batches& by) {
  PowerRun run;
  // Nothing is planned before all vectors are safe.
  options.planned = [&run](const BuildPlan&) { return run.safe = FaultRows::kCount, true; };
  run.status = hand_in(fs, options, by, run);
  return run;
}

PowerRun calibrate_on(io::Fs& fs) {
  PowerRun run;
  const auto report =
      build::calibrate_index(fs, kPowerFolder, {.rows = 8, .threads = 1, .seed = 5});
  if (!report) run.status = fail(report.error());
  return run;
}

PowerRun must(PowerRun run) {
  if (!run.status) give_up(run.status.error());
  return run;
}

/// A build that was cut off in the middle, with nothing of what it had synced lost.
PowerRun half_built(SimFs& fs, const BuildOptions& options) {
  std::size_t end = 0;
  {
    const auto whole = fs.copy(1);
    static_cast<void>(must(build_on(*whole, options)));
    end = steps_of(*whole);
  }
  fs.faults().add(sim::FsFault{.when = {.at_no_look = end / 2}});
  if (build_on(fs, options).status) give_up({.what = "a build was not cut off"});
  fs.faults().clear();
  return {};
}

PowerRun half_handed_in(SimFs& fs, const BuildOptions& options, Batches by) {
  by.until = FaultRows::kCount / 2;
  return must(build_by_batches_on(fs, options, by));
}

PowerRun built(SimFs& fs, BuildOptions options) {
  options.calibration_rows = 8;
  return must(build_on(fs, options));
}

}  // namespace

std::size_t steps_of(const SimFs& fs) {
  return static_cast<std::size_t>(std::ranges::count_if(
      fs.operations(), [](const sim::OpRecord& record) { return !sim::is_look(record.op); }));
}

std::vector<PowerScene> power_scenes(std::uint64_t seed) {
  const auto [options, batches] = draw(seed);
  const auto build = [options = options](io::Fs& fs) { return build_on(fs, options); };
  const auto by_batches = [options = options, batches = batches](io::Fs& fs) {
    return build_by_batches_on(fs, options, batches);
  };
  const auto nothing = [](SimFs&) { return PowerRun{}; };
  return {
      {.name = "build", .before = nothing, .act = build},
      {.name = "build that goes on",
       .before = [options = options](SimFs& fs) { return half_built(fs, options); },
       .act = build},
      {.name = "build by batches", .before = nothing, .act = by_batches},
      {.name = "build by batches that goes on",
       .before = [options = options,
                  batches = batches](SimFs& fs) { return half_handed_in(fs, options, batches); },
       .act = by_batches},
      {.name = "publication of a calibration",
       .before = [options = options](SimFs& fs) { return built(fs, options); },
       .act = calibrate_on,
       .publishes = true},
  };
}

}  // namespace cairn::reliability
