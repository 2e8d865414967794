// cairn doctor: the health of an index, and why searches on it miss what they miss.
#include <cairn/examine.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/doctor/page.h"
#include "tools/index_options.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/recall/measure.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  IndexOptions index;
  std::string queries, groundtruth;
  std::uint64_t queries_max = 1000;
  ExamineOptions examine;
  bool json = false;
};

/// What the options of the examination point to.
struct Inputs {
  Vectors queries;
  std::vector<Label> truth;
  std::vector<float> truth_distances;
};

/// The first queries_max of the queries, and of the truth.
Status load(const Options& options, const IndexStats& stats, ExamineOptions& examine,
            Inputs& inputs) {
  if (options.queries.empty()) return {};
  CAIRN_ASSIGN(inputs.queries, load_vectors(options.queries, stats.metric));
  CAIRN_TRY(
      check_shape(options.queries, inputs.queries.shape(), {stats.dtype, stats.dim}, "the index"));
  examine.queries = inputs.queries.batch();
  if (examine.queries.count == 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "search with",
                 .file = options.queries,
                 .found = "no queries"});
  examine.queries.count = std::min(examine.queries.count, options.queries_max);
  if (options.groundtruth.empty()) return {};
  const auto k =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(options.examine.k, stats.vector_count));
  const std::size_t wanted = examine.queries.count * k;
  const auto take = [&](std::span<const std::uint32_t> ids, std::span<const float> distances) {
    if (inputs.truth.size() == wanted) return;
    inputs.truth.insert(inputs.truth.end(), ids.begin(), ids.end());
    inputs.truth_distances.insert(inputs.truth_distances.end(), distances.begin(), distances.end());
  };
  CAIRN_TRY(read_truth(options.groundtruth, inputs.queries.count(), k, take));
  examine.truth = inputs.truth;
  examine.truth_distances = inputs.truth_distances;
  return {};
}

Status doctor(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  const IndexStats stats = index->stats();
  ExamineOptions examine = options.examine;
  examine.threads = thread_count(examine.threads);
  Inputs inputs;
  CAIRN_TRY(load(options, stats, examine, inputs));
  const bool by_hand = examine.list_size != 0 || examine.slack || examine.reads_max != 0;
  if (!examine.recall && !by_hand && stats.calibrated) examine.recall = kUsualRecall;
  const Asked asked{.index = options.index.folder,
                    .queries = options.queries,
                    .k = examine.k,
                    .recall = examine.recall.value_or(kUsualRecall),
                    .by_recall = examine.recall.has_value()};
  install_interrupt();
  Progress progress{"examine", 1, options.index.quiet};
  std::string doing;
  examine.progress = [&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    if (doing != phase) progress.restart(doing = phase, total);
    progress.update(done, total);
    return check_interrupt().has_value();
  };
  CAIRN_ASSIGN(const Examination examination, index->examine(examine));
  const std::vector<Finding> findings = findings_of(examination, asked);
  if (options.json)
    print(json_line(doctor_json(examination, asked, findings)));
  else
    print(doctor_page(examination, asked, findings));
  return {};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_options(command, options->index);
  CLI::Option* queries = command.add_option(
      "--queries", options->queries,
      "Queries, of the index's dimension and type; default: rows of the index, each hidden from "
      "its own search");
  command
      .add_option("--groundtruth", options->groundtruth,
                  "Exact neighbours, from `cairn groundtruth`; else computed from the index")
      ->needs(queries);
  command
      .add_option("--queries-max", options->queries_max,
                  "Only the first so many queries, default 1000")
      ->check(at_least(1));
  ExamineOptions& examine = options->examine;
  command
      .add_option("--rows", examine.rows,
                  "Rows of the index that are searched for as well, at most one in eight; "
                  "default 300")
      ->check(at_least(1));
  command.add_option("--seed", examine.seed, "Which rows");
  add_effort(command, examine);
  add_threads(command, examine.threads);
  add_json(command, options->json);
  return [options] { return doctor(*options); };
}

}  // namespace

Verb doctor_verb() {
  return {
      "doctor", "Show how healthy an index is, and why searches miss what they miss",
      "A verdict, findings with what to do next, the worst first, and for each true neighbour\n"
      "that was missed the reason. Search as your service does; rows of the index are searched\n"
      "for beside the queries, to tell what lies in the index from what lies in the queries.\n"
      "Exit code 0 whatever is found.\n\n",
      "  cairn doctor --index photos.cairn --queries yesterday.u8bin --memory 60B/v\n"
      "  cairn doctor --index photos.cairn --queries yesterday.u8bin --list-size 20",
      declare};
}

}  // namespace cairn::tools
