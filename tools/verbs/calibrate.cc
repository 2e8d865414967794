// cairn calibrate: measures what recall costs on an index.
#include <cairn/calibrate.h>
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/index_options.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kProgressSteps = 1000;

struct Options {
  std::string folder, queries;
  std::uint64_t memory_bytes = 0;
  std::uint32_t rows = CalibrateOptions{}.rows, threads = 0;
  std::uint64_t seed = 1;
  bool json = false, quiet = false;
};

Status calibrate(const Options& options) {
  CalibrateOptions calibration;
  Vectors queries;
  if (!options.queries.empty()) {
    CAIRN_ASSIGN(queries, load_vectors(options.queries, Metric::l2));
    calibration.queries = queries.batch();
  }
  install_interrupt();
  calibration.memory_bytes = options.memory_bytes;
  calibration.rows = options.rows;
  calibration.threads = options.threads;
  calibration.seed = options.seed;
  Progress progress{"calibrate", kProgressSteps, options.quiet};
  calibration.progress = [&](double share) {
    progress.update(static_cast<std::uint64_t>(share * kProgressSteps));
    return check_interrupt().has_value();
  };
  CAIRN_ASSIGN(const CalibrateReport report, calibrate_index(options.folder, calibration));
  if (options.json) {
    const nlohmann::ordered_json object = {
        {"states", report.states}, {"curves", report.curves}, {"queries", report.queries}};
    print(json_line(object));
  } else {
    print(fmt::format("measured {} states of memory with {} queries: {} curves\n", report.states,
                      report.queries, report.curves));
  }
  return {};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("--index", options->folder, "Folder of the index")->required();
  command.add_option("--queries", options->queries,
                     "Queries like those to come; default: rows of the index, each hidden from "
                     "its own search");
  add_bytes(command, "--memory", options->memory_bytes,
            "Measure what fits in so much RAM, e.g. 8G; default: half of what there is");
  command.add_option("--rows", options->rows, "Rows to search for, default 1000")
      ->check(at_least(1));
  command.add_option("--seed", options->seed, "Which rows");
  add_threads(command, options->threads);
  add_json(command, options->json);
  add_quiet(command, options->quiet);
  return [options] { return calibrate(*options); };
}

}  // namespace

Verb calibrate_verb() {
  return {"calibrate", "Measure what recall costs, for --recall",
          "For k = 1, 10 and 100 and each step of memory that fits: recall and reads by effort.\n"
          "A build has done it with rows of the index; do it again with queries of your own, or\n"
          "for more memory than the build had. What was measured before is replaced.\n\n",
          "  cairn calibrate --index photos.cairn --queries yesterday.u8bin --memory 8G", declare};
}

}  // namespace cairn::tools
