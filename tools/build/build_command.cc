#include "tools/build/build_command.h"

#include <cairn/calibrate.h>
#include <unistd.h>

#include "tools/build/build_progress.h"
#include "tools/build/keeps_work.h"
#include "tools/build/plan_report.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/vectors.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kProgressSteps = 1000;

ProgressStyle style_of(const BuildCommand& options) {
  if (options.progress == "json") return ProgressStyle::json;
  if (options.progress == "line") return ProgressStyle::line;
  if (options.progress == "none" || options.quiet || ::isatty(STDERR_FILENO) != 1)
    return ProgressStyle::none;
  return ProgressStyle::terminal;
}

void print_plan(const BuildCommand& options, const BuildPlan& plan) {
  print(options.json ? json_line(plan_json(plan)) : plan_text(plan));
}

/// Notes and the plan go to standard error as text, or as objects where a log collector reads it.
class Notes {
 public:
  Notes(const BuildCommand& options, BuildProgressPrinter& printer)
      : quiet_(options.quiet), json_(style_of(options) == ProgressStyle::json), printer_(printer) {}

  void note(const std::string& line) {
    if (quiet_) return;
    printer_.wipe();
    say(json_ ? json_line(nlohmann::ordered_json{{"note", line}}) : "cairn: " + line + "\n");
  }

  void plan(const BuildPlan& plan) {
    if (quiet_) return;
    printer_.wipe();
    say(json_ ? json_line(nlohmann::ordered_json{{"plan", plan_json(plan)}}) : plan_text(plan));
  }

 private:
  bool quiet_, json_;
  BuildProgressPrinter& printer_;
};

Result<BuildReport> run_build(BuildCommand& options, const BuildInput& input) {
  BuildProgressPrinter printer(style_of(options), input.source.count());
  Notes notes(options, printer);
  for (const std::string& line : input.notes) notes.note(line);
  options.build.progress = [&](const BuildProgress& step) {
    printer.update(step);
    return !interrupted();
  };
  options.build.planned = [&](const BuildPlan& plan) {
    notes.plan(plan);
    return !interrupted();
  };
  options.build.log = [&](const std::string& line) { notes.note(line); };
  return build_index(options.index, input.source, options.build);
}

/// The signal says more than that a callback wanted no more.
Error with_signal(Error error) {
  if (const Status signal = check_interrupt(); !signal && error.code == ErrorCode::cancelled)
    return signal.error();
  return error;
}

/// On the index that is built: what fails here leaves it as it is.
Status calibrate(const BuildCommand& options, const Vectors& queries) {
  BuildProgressPrinter printer(style_of(options), 0);
  CalibrateOptions calibration{.queries = queries.batch(),
                               .memory_bytes = options.build.memory_bytes,
                               .threads = options.build.threads};
  calibration.progress = [&](double share) {
    BuildProgress step{.phase = "calibrate", .total = kProgressSteps, .share = share};
    step.done = static_cast<std::uint64_t>(share * kProgressSteps);
    printer.update(step);
    return !interrupted();
  };
  auto measured = calibrate_index(options.index, calibration);
  if (measured) return {};
  Error error = with_signal(std::move(measured).error());
  error.what += "; the index '" + options.index +
                "' is whole, but for recall by name: 'cairn calibrate --index " + options.index +
                " --queries " + options.calibration + "' measures it";
  return fail(std::move(error));
}

}  // namespace

Status run_build_command(BuildCommand& options, const BuildInput& input) {
  VectorSource& source = input.source;
  // With queries of its own it is measured once the index is there.
  if (!options.calibration.empty()) options.build.calibration_rows = 0;
  if (options.dry_run) {
    CAIRN_ASSIGN(const BuildPlan plan,
                 plan_build(options.index, source, options.build, options.vectors));
    print_plan(options, plan);
    return {};
  }
  Vectors queries;
  if (!options.calibration.empty()) {
    CAIRN_ASSIGN(queries, load_vectors(options.calibration, options.build.metric));
    CAIRN_TRY(check_shape(options.calibration, queries.shape(), {source.dtype(), source.dim()},
                          "the input", "calibrate with"));
  }
  auto report = run_build(options, input);
  if (!report) return fail(with_way_on(with_signal(std::move(report).error()), options.index));
  if (options.json) {
    nlohmann::ordered_json all = report_json(*report);
    if (!input.extra.empty()) all.update(input.extra);
    print(json_line(all));
  } else if (!options.quiet) {
    print(report_text(*report));
  }
  return queries.dim == 0 ? Status{} : calibrate(options, queries);
}

void declare_index(CLI::App& command, BuildCommand& options) {
  command.add_option("--index", options.index, "New folder")->required();
  command.add_option("--calibration", options.calibration,
                     "Queries like those to come, to measure recall with in place of rows of the "
                     "input");
}

void declare_shape(CLI::App& command, BuildOptions& build, std::optional<std::uint32_t>& degree) {
  command.add_option("--codes", build.code_bytes, "Base code, bytes a vector, default 32")
      ->check(at_least(1));
  command
      .add_option("--refine", build.refine_bytes,
                  "Residual code on top, bytes a vector, default 32, from 512 dimensions on an "
                  "eighth of them; 0: none")
      ->check(at_least(0));
  command
      .add_option(
          "--refine-layers", build.refine_layers,
          "Bytes of each layer of the residual code, e.g. 6,10,8,8, instead of --refine: the "
          "first are loaded first; default: chosen for the number of vectors")
      ->delimiter(',')
      ->check(at_least(1));
  command.add_option("--degree", degree, "Most edges of a node, default 64")->check(at_least(8));
  command
      .add_option("--nav-edges", build.nav_edges,
                  "Edges of a node that are kept in RAM form, default 32")
      ->check(at_least(0));
  command
      .add_option("--calibration-rows", build.calibration_rows,
                  "Rows that recall is measured with at the end, for `--recall`, default 1000; 0: "
                  "it is not measured")
      ->check(at_least(0))
      ->excludes("--calibration");
  command.add_option("--seed", build.seed, "Same seed, same bytes; default 1")->check(at_least(0));
}

void declare_work(CLI::App& command, BuildCommand& options) {
  BuildOptions& build = options.build;
  add_threads(command, build.threads);
  add_bytes(command, "--memory", build.memory_bytes,
            "Most that the build may hold in RAM, everything counted, e.g. 512M or 8G; default: "
            "half of what there is");
  add_bytes(command, "--disk", build.disk_bytes,
            "Most that the index and the work towards it may take; default: what is free");
  command
      .add_option("--partitions", build.partitions,
                  "At least so many; default: as few as the memory allows")
      ->check(at_least(0));
  command.add_flag("--fresh", build.fresh,
                   "Drop what an earlier run left instead of going on from it");
  const auto dry_run =
      command.add_flag("--dry-run", options.dry_run, "Print the plan and build nothing");
  command
      .add_option("--vectors", options.vectors,
                  "With --dry-run: plan as if there were so many such vectors")
      ->check(at_least(1))
      ->needs(dry_run);
  command
      .add_option("--progress", options.progress,
                  "auto: one line on a terminal; line: a line every 10 s; json: an object a line "
                  "on standard error, at most 2 a second; none")
      ->check(CLI::IsMember({"auto", "line", "json", "none"}));
  add_json(command, options.json);
  add_quiet(command, options.quiet);
}

}  // namespace cairn::tools
