// cairn recall: recall against effort on an index, one row per list size.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/index_options.h"
#include "tools/json_line.h"
#include "tools/progress.h"
#include "tools/recall/report.h"
#include "tools/recall/truth.h"
#include "tools/table.h"
#include "tools/vectors.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  IndexOptions index;
  std::string queries, groundtruth;
  std::vector<std::uint32_t> list_sizes = {10, 20, 40, 80, 160};
  std::vector<float> slacks;
  std::vector<double> recalls;
  std::vector<std::string> memories;  // sizes; empty: the default of the library
  RecallOptions measure;
  bool json = false;
};

void print_table(const std::vector<RecallRow>& rows, const std::vector<IndexStats>& opened) {
  Table table(recall_titles("list"));
  for (const RecallRow& row : rows) table.add(recall_cells(row));
  print(table.text());
  for (const IndexStats& stats : opened)
    print(fmt::format(
        "{}, {:.1f} bytes of RAM a vector: codes {} + {} B, {} edges\n",
        show_bytes(stats.index_ram_bytes),
        static_cast<double>(stats.index_ram_bytes) / static_cast<double>(stats.vector_count),
        stats.code_bytes, stats.refine_bytes_loaded, stats.nav_edges_loaded));
  print(fmt::format("{}; reads are of 4 KiB, the cache is empty at the start of each row\n",
                    opened.front().io_backend));
}

/// Every recall asked for; else every list size, each with every slack.
std::vector<RecallOptions> rows_of(const Options& options) {
  std::vector<RecallOptions> rows;
  for (const double recall : options.recalls) {
    RecallOptions row = options.measure;
    row.recall = recall;
    row.threads = thread_count(row.threads);
    rows.push_back(row);
  }
  if (!rows.empty()) return rows;
  for (const std::uint32_t list_size : options.list_sizes) {
    RecallOptions row = options.measure;
    row.list_size = list_size;
    row.threads = thread_count(row.threads);
    if (options.slacks.empty()) rows.push_back(row);
    for (const float slack : options.slacks) {
      row.slack = slack;
      rows.push_back(row);
    }
  }
  return rows;
}

/// All rows of one state of memory.
Status measure(const Options& options, const Index& index, const Vectors& queries,
               std::span<const float> kth, std::vector<RecallRow>& rows) {
  for (const RecallOptions& wanted : rows_of(options)) {
    const std::string what = wanted.recall ? fmt::format("recall {:g}", *wanted.recall)
                                           : fmt::format("list {}", wanted.list_size);
    Progress progress{what, queries.count(), options.index.quiet};
    CAIRN_ASSIGN(const RecallRow row,
                 measure_recall(index, queries.batch(), kth, wanted, [&](std::uint64_t done) {
                   progress.update(done);
                   return Status{};
                 }));
    if (options.json) print(json_line(recall_json(row)));
    rows.push_back(row);
  }
  return {};
}

Result<std::vector<IndexOptions>> states_of(const Options& options) {
  std::vector<IndexOptions> states;
  for (const std::string& text : options.memories) {
    states.push_back(options.index);
    CAIRN_ASSIGN(states.back().memory, parse_size(text));
  }
  if (states.empty()) states.push_back(options.index);
  return states;
}

Status recall(const Options& options) {
  CAIRN_ASSIGN(const auto states, states_of(options));
  std::vector<IndexStats> opened;
  std::vector<RecallRow> rows;
  Vectors queries;
  std::vector<float> kth;
  for (const IndexOptions& state : states) {
    CAIRN_ASSIGN(const auto index, open_index(state));
    const IndexStats stats = index->stats();
    if (opened.empty()) {
      CAIRN_ASSIGN(queries, load_vectors(options.queries, stats.metric));
      CAIRN_TRY(
          check_shape(options.queries, queries.shape(), {stats.dtype, stats.dim}, "the index"));
      CAIRN_ASSIGN(kth, true_kth_distances(*index, queries.batch(), options.measure.k,
                                           {options.groundtruth, options.index.quiet}));
    }
    opened.push_back(stats);
    CAIRN_TRY(measure(options, *index, queries, kth, rows));
  }
  if (!options.json) print_table(rows, opened);
  return {};
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  add_index_access(command, options->index);
  command
      .add_option("--memory", options->memories,
                  "S1,S2,... RAM for the index, e.g. 512M or 60B/v (bytes a vector): the index is "
                  "opened with each; default: all that helps, at most half of what there is")
      ->delimiter(',')
      ->check([](const std::string& text) {
        const auto size = parse_size(text);
        return size ? std::string() : size.error().to_string();
      });
  command.add_option("--queries", options->queries, "Queries, of the index's dimension and type")
      ->required();
  command.add_option("--groundtruth", options->groundtruth,
                     "Exact neighbours, from `cairn groundtruth`; else computed from the index");
  command.add_option("-k", options->measure.k, "Neighbours a query, default 10")
      ->check(at_least(1));
  command.add_option("--list-size", options->list_sizes, "L1,L2,... default 10,20,40,80,160")
      ->delimiter(',')
      ->check(at_least(1));
  command
      .add_option("--slack", options->slacks,
                  "S1,S2,... a row for each: end a search when nothing unread looks nearer than "
                  "1 + S times its k-th result; default: read the whole list")
      ->delimiter(',');
  command
      .add_option("--recall", options->recalls,
                  "R1,R2,... a row for each recall asked for by name, e.g. 0.9,0.95, in place of "
                  "list sizes and slacks; the index must be calibrated")
      ->delimiter(',')
      ->excludes("--list-size")
      ->excludes("--slack");
  add_threads(command, options->measure.threads);
  command
      .add_option("--batch", options->measure.batch_reads,
                  "Interleave queries on one ring a thread, this many reads in flight")
      ->check(at_least(1));
  add_json(command, options->json);
  return [options] { return recall(*options); };
}

}  // namespace

Verb recall_verb() {
  return {"recall", "Measure recall, reads, latency and core time by list size",
          "One row a list size and slack: every query once, with an empty block cache at its "
          "start. A distinct\n"
          "returned label counts if it is no farther than the k-th true neighbour.\n\n",
          "  cairn recall --index photos.cairn --queries query.u8bin --groundtruth truth.bin \\\n"
          "      -k 10 --list-size 10,20,40 --memory 60B/v\n"
          "  cairn recall --index photos.cairn --queries query.u8bin --recall 0.9,0.95,0.99 \\\n"
          "      --memory 40B/v,60B/v,120B/v --batch 32",
          declare};
}

}  // namespace cairn::tools
