// cairn search: answers for a file of queries.
#include <fmt/format.h>
#include <unistd.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/formats/result_file.h"
#include "tools/index_options.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::size_t kBatch = 256;  // queries in memory at a time

struct Options {
  IndexOptions index;
  std::string queries, output;
  std::uint32_t k = 10, list_size = 0, reads_max = 0;
  std::optional<float> slack;
  std::optional<double> recall;
  bool json = false;

  bool prints() const { return json || output.empty(); }
};

void print_result(const Options& options, std::uint64_t query, const SearchResult& result) {
  if (options.json) {
    nlohmann::ordered_json labels = nlohmann::ordered_json::array(),
                           distances = nlohmann::ordered_json::array();
    for (const Neighbor& n : result.neighbors) {
      labels.push_back(n.label);
      distances.push_back(n.distance);
    }
    const nlohmann::ordered_json object = {{"labels", labels},
                                           {"distances", distances},
                                           {"stop", stop_name(result.stop)},
                                           {"reads", result.counters.reads}};
    return print(json_line(object));
  }
  std::string line = fmt::format("{}:", query);
  for (const Neighbor& n : result.neighbors) line += fmt::format(" {} ({:g})", n.label, n.distance);
  if (result.stop != Stop::list_exhausted) line += fmt::format(" [{}]", stop_name(result.stop));
  print(line + "\n");
}

/// big-ann's format has 32-bit ids.
Status write_result(formats::ResultWriter& writer, const std::string& path,
                    const SearchResult& result) {
  std::vector<std::uint32_t> ids;
  std::vector<float> distances;
  for (const Neighbor& n : result.neighbors) {
    if (n.label >= formats::kNoId)
      return fail({.code = ErrorCode::over_limit,
                   .what = "write a result to",
                   .file = path,
                   .found = "label " + std::to_string(n.label),
                   .expected = "below 2^32 - 1 in this format; use --json"});
    ids.push_back(static_cast<std::uint32_t>(n.label));
    distances.push_back(n.distance);
  }
  return writer.write(ids, distances);
}

Result<std::unique_ptr<formats::ResultWriter>> create_output(const Options& options,
                                                             const IndexStats& stats,
                                                             std::uint64_t queries) {
  install_interrupt();
  CAIRN_TRY(formats::check_not_read(options.output, {options.queries}));
  if (formats::same_file(io::parent_dir(options.output), options.index.folder))
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "write",
                 .file = options.output,
                 .found = "a place in the folder of the index"});
  if (queries > std::numeric_limits<std::uint32_t>::max())
    return fail({.code = ErrorCode::over_limit,
                 .what = "write",
                 .file = options.output,
                 .found = std::to_string(queries) + " queries",
                 .expected = "at most 2^32 - 1 in this format; use --json"});
  const auto k = static_cast<std::uint32_t>(std::min<std::uint64_t>(options.k, stats.vector_count));
  return formats::ResultWriter::create(options.output,
                                       {.queries = static_cast<std::uint32_t>(queries), .k = k});
}

/// Answers rows `first` and following, and hands the answers on. `writer` may be null.
Status answer(const Options& options, const Index& index, const VectorBatch& queries,
              std::uint64_t first, formats::ResultWriter* writer) {
  std::vector<SearchRequest> requests(queries.count);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].query = queries.row(i);
    requests[i].k = options.k;
    requests[i].list_size = options.list_size;
    requests[i].slack = options.slack;
    requests[i].recall = options.recall;
    requests[i].reads_max = options.reads_max;
  }
  const auto results = index.search_batch(requests);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) return fail(results[i].error());
    if (writer != nullptr) CAIRN_TRY(write_result(*writer, options.output, *results[i]));
    if (options.prints()) print_result(options, first + i, *results[i]);
  }
  return check_output();
}

Status search(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  const IndexStats stats = index->stats();
  CAIRN_ASSIGN(const auto queries, formats::VectorReader::open(options.queries));
  CAIRN_TRY(check_shape(options.queries, {queries->dtype(), queries->dim()},
                        {stats.dtype, stats.dim}, "the index"));
  std::unique_ptr<formats::ResultWriter> writer;
  if (!options.output.empty()) {
    CAIRN_ASSIGN(writer, create_output(options, stats, queries->count()));
  }
  // Results that scroll by on the same terminal are progress enough.
  const bool hidden = options.prints() && ::isatty(STDOUT_FILENO) == 1;
  Progress progress{"search", queries->count(), options.index.quiet || hidden};
  std::vector<std::byte> rows(kBatch * queries->row_bytes());
  while (true) {
    CAIRN_TRY(check_interrupt());
    const std::uint64_t first = queries->position();
    CAIRN_ASSIGN(const std::size_t count, read_checked(*queries, stats.metric, rows));
    if (count == 0) break;
    CAIRN_TRY(answer(options, *index, {rows.data(), count, queries->dim(), queries->dtype()}, first,
                     writer.get()));
    progress.update(queries->position());
  }
  return writer ? writer->finish() : Status{};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_options(command, options->index);
  command.add_option("--queries", options->queries, "Queries, of the index's dimension and type")
      ->required();
  command.add_option("-k", options->k, "Neighbours a query, default 10")->check(at_least(1));
  command
      .add_option("--list-size", options->list_size,
                  "Candidates kept and reranked; default max(2 k, 40)")
      ->check(at_least(1));
  command.add_option("--slack", options->slack,
                     "End a search when nothing unread looks nearer than 1 + SLACK times its k-th "
                     "result; 0 to 0.3 is usual");
  command
      .add_option("--recall", options->recall,
                  "Recall to aim at, e.g. 0.95, in place of a list size and slack; the index must "
                  "be calibrated, which a build does")
      ->excludes("--list-size")
      ->excludes("--slack");
  command.add_option("--reads-max", options->reads_max, "Most reads a query, in units of 4 KiB")
      ->check(at_least(1));
  command.add_option("--output", options->output, kResultHelp);
  add_json(command, options->json);
  return [options] { return search(*options); };
}

}  // namespace

Verb search_verb() {
  return {"search", "Answer queries from an index",
          "Distances ascend: squared l2; 1 - dot; 1 - cosine. With --json one object a query.\n\n",
          "  cairn search --index photos.cairn --queries query.u8bin -k 10 --list-size 20\n"
          "  cairn search --index photos.cairn --queries query.u8bin -k 100 --output result.bin",
          declare};
}

}  // namespace cairn::tools
