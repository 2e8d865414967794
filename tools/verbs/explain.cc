// cairn explain: what one search does, and why it ends.
#include <cairn/examine.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/index_options.h"
#include "tools/json_line.h"
#include "tools/table.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  IndexOptions index;
  std::string queries;
  std::uint64_t row = 0;
  SearchRequest request;
  bool json = false;
};

std::string figure(float value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : "-";
}
std::string figure(const std::optional<float>& value) { return value ? figure(*value) : "-"; }

std::string why_it_ended(const Explanation& told) {
  switch (told.result.stop) {
    case Stop::bound:
      return fmt::format(
          "the next candidate, at {} by its code, would take a slack of {:.3f}: more than {:.3f}",
          figure(told.next_code_distance), told.next_slack_needed.value_or(0),
          told.slack.value_or(0));
    case Stop::list_exhausted:
      return fmt::format("all {} candidates of the list were read", told.list_size);
    case Stop::exhausted:
      return "all vectors were looked at";
    case Stop::reads_max:
      return "the reads that were allowed are used up";
    case Stop::deadline:
      return "the deadline passed";
  }
  return "";
}

void print_text(const Explanation& told, const IndexStats& stats, const SearchRequest& request) {
  const bool idle = stats.nav_edges_loaded != 0 && !told.edges;
  print(fmt::format("in RAM: codes of {} + {} bytes, {} edges a vector{}\n", stats.code_bytes,
                    stats.refine_bytes_loaded, stats.nav_edges_loaded,
                    idle ? ", which are left alone" : ""));
  if (request.recall) print(fmt::format("recall {:g} asked for: ", *request.recall));
  print(fmt::format("a list of {}{}, {} blocks under way at most\n", told.list_size,
                    told.slack ? fmt::format(", slack {:.3f}", *told.slack) : "", told.width));
  print(fmt::format("before the first read: {} codes looked at, {} nodes expanded in RAM\n\n",
                    told.entry_code_distances, told.entry_expanded));
  Table table({"read", "round", "block", "for slot", "code", "takes slack", "from", "vectors",
               "results", "k-th", "expanded", "codes"});
  for (std::size_t i = 0; i < told.reads.size(); ++i) {
    const ExplainedRead& read = told.reads[i];
    table.add({std::to_string(i + 1), std::to_string(read.round), std::to_string(read.block),
               std::to_string(read.lead.slot), figure(read.code_distance),
               figure(read.slack_needed), read.cached ? "cache" : "disk",
               std::to_string(read.vectors), std::to_string(read.results),
               figure(read.kth_distance), std::to_string(read.expanded),
               std::to_string(read.code_distances)});
  }
  print(table.text());
  print(fmt::format("\nended ({}): {}\n", stop_name(told.result.stop), why_it_ended(told)));
  std::string line = "found:";
  for (const Neighbor& n : told.result.neighbors)
    line += fmt::format(" {} ({:g})", n.label, n.distance);
  print(line + "\n");
}

nlohmann::ordered_json number(float value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}
nlohmann::ordered_json number(const std::optional<float>& value) {
  if (!value) return nullptr;
  return number(*value);
}

void print_json(const Explanation& told) {
  nlohmann::ordered_json reads = nlohmann::ordered_json::array();
  for (const ExplainedRead& read : told.reads)
    reads.push_back({{"round", read.round},
                     {"file", read.file},
                     {"block", read.block},
                     {"segment", read.lead.segment},
                     {"slot", read.lead.slot},
                     {"code_distance", number(read.code_distance)},
                     {"slack_needed", number(read.slack_needed)},
                     {"cached", read.cached},
                     {"vectors", read.vectors},
                     {"results", read.results},
                     {"kth_distance", number(read.kth_distance)},
                     {"expanded", read.expanded},
                     {"code_distances", read.code_distances}});
  nlohmann::ordered_json labels = nlohmann::ordered_json::array(),
                         distances = nlohmann::ordered_json::array();
  for (const Neighbor& n : told.result.neighbors) {
    labels.push_back(n.label);
    distances.push_back(n.distance);
  }
  const nlohmann::ordered_json object = {{"list_size", told.list_size},
                                         {"slack", number(told.slack)},
                                         {"width", told.width},
                                         {"edges_walked", told.edges},
                                         {"entry_code_distances", told.entry_code_distances},
                                         {"entry_expanded", told.entry_expanded},
                                         {"reads", reads},
                                         {"stop", stop_name(told.result.stop)},
                                         {"next_slack_needed", number(told.next_slack_needed)},
                                         {"next_code_distance", number(told.next_code_distance)},
                                         {"labels", labels},
                                         {"distances", distances}};
  print(json_line(object));
}

Status explain(const Options& options) {
  CAIRN_ASSIGN(const auto index, open_index(options.index));
  const IndexStats stats = index->stats();
  CAIRN_ASSIGN(const Vectors queries, load_vectors(options.queries, stats.metric));
  CAIRN_TRY(check_shape(options.queries, queries.shape(), {stats.dtype, stats.dim}, "the index"));
  if (options.row >= queries.count())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "explain query " + std::to_string(options.row) + " of",
                 .file = options.queries,
                 .found = std::to_string(queries.count()) + " queries"});
  SearchRequest request = options.request;
  request.query = queries.batch().row(options.row);
  if (!request.recall && request.list_size == 0 && !request.slack && stats.calibrated)
    request.recall = kUsualRecall;
  CAIRN_ASSIGN(const Explanation told, index->explain(request));
  if (options.json)
    print_json(told);
  else
    print_text(told, stats, request);
  return {};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_options(command, options->index);
  command.add_option("--queries", options->queries, "Queries, of the index's dimension and type")
      ->required();
  command.add_option("--row", options->row, "Which of them, from 0; default 0")->check(at_least(0));
  SearchRequest& request = options->request;
  add_effort(command, request);
  add_json(command, options->json);
  return [options] { return explain(*options); };
}

}  // namespace

Verb explain_verb() {
  return {"explain", "Show what one search does: each read, why, and what ended it",
          "One row a block, in the order of arrival: the candidate it was read for, what its code\n"
          "says and what slack it took, how many of its vectors were among the k best then.\n\n",
          "  cairn explain --index photos.cairn --queries query.u8bin --row 7 --recall 0.95 \\\n"
          "      --memory 40B/v",
          declare};
}

}  // namespace cairn::tools
