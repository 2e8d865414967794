// cairn search: answers for a file of queries.
#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/formats/result_file.h"
#include "tools/index_options.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

constexpr std::size_t kBatch = 256;  // queries between two looks at the progress

struct Options {
  IndexOptions index;
  std::string queries, output;
  std::uint32_t k = 10, list_size = 0, reads_max = 0;
  bool json = false;
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
    return print(object.dump() + "\n");
  }
  std::string line = fmt::format("{}:", query);
  for (const Neighbor& n : result.neighbors) line += fmt::format(" {} ({:g})", n.label, n.distance);
  if (result.stop != Stop::list_exhausted) line += fmt::format(" [{}]", stop_name(result.stop));
  print(line + "\n");
}

/// big-ann's format has 32-bit ids.
Status write_result(formats::ResultWriter& writer, const SearchResult& result) {
  std::vector<std::uint32_t> ids;
  std::vector<float> distances;
  for (const Neighbor& n : result.neighbors) {
    if (n.label >= formats::kNoId)
      return fail({.code = ErrorCode::over_limit,
                   .what = "write result",
                   .found = "label " + std::to_string(n.label),
                   .expected = "below 2^32 - 1 in this format; use --json"});
    ids.push_back(static_cast<std::uint32_t>(n.label));
    distances.push_back(n.distance);
  }
  return writer.write(ids, distances);
}

Status search(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  const IndexStats stats = index->stats();
  CAIRN_ASSIGN(const Vectors queries, load_vectors(options.queries, stats.metric));
  CAIRN_TRY(check_shape(queries, stats.dtype, stats.dim, "the index"));
  const VectorBatch batch = queries.batch();
  std::unique_ptr<formats::ResultWriter> writer;
  if (!options.output.empty()) {
    install_interrupt();
    const auto k =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(options.k, stats.vector_count));
    CAIRN_ASSIGN(writer,
                 formats::ResultWriter::create(
                     options.output, {.queries = static_cast<std::uint32_t>(batch.count), .k = k}));
  }
  Progress progress{"search", batch.count, options.index.quiet || !writer};
  for (std::uint64_t first = 0; first < batch.count; first += kBatch) {
    CAIRN_TRY(check_interrupt());
    CAIRN_TRY(check_output());
    std::vector<SearchRequest> requests(std::min<std::uint64_t>(kBatch, batch.count - first));
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].query = batch.row(first + i);
      requests[i].k = options.k;
      requests[i].list_size = options.list_size;
      requests[i].reads_max = options.reads_max;
    }
    const auto results = index->search_batch(requests);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) return fail(results[i].error());
      if (writer) CAIRN_TRY(write_result(*writer, *results[i]));
      if (!writer || options.json) print_result(options, first + i, *results[i]);
    }
    progress.update(first + requests.size());
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
  command.add_option("--reads-max", options->reads_max, "Most block reads a query")
      ->check(at_least(1));
  command.add_option("--output", options->output, "New file: u32 queries, u32 k, ids, distances");
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
