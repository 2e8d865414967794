// bench/peers: the same queries on hnswlib and FAISS, as Debian packages them, in the columns of
// `cairn recall`. Each library runs in a process of its own, so that its memory is its own.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "bench/peers/library.h"
#include "bench/peers/measure.h"
#include "tools/recall/report.h"
#include "tools/table.h"
#include "tools/units.h"

namespace cairn::peers {
namespace {

struct Options {
  Workload work;
  std::string metric = "l2", only;
  std::uint32_t degree = 16, ef_construction = 200, code_bytes = 32;
  bool json = false, in_process = false;
};

nlohmann::ordered_json row_json(const std::string& name, const tools::RecallRow& row,
                                const BuildFigures& build) {
  nlohmann::ordered_json object = {{"peer", name}};
  object.update(tools::recall_json(row));
  object["build_core_us_per_vector"] = build.core_us_per_vector;
  object["build_wall_s"] = build.wall_s;
  object["peak_rss_bytes"] = build.peak_rss_bytes;
  return object;
}

void print_table(const Peer& peer, const BuildFigures& build,
                 const std::vector<tools::RecallRow>& rows, std::uint32_t threads) {
  fmt::print("{}\n", peer.description());
  fmt::print("build, {} threads: {:.1f} core-us/vector, {:.1f} s, resident {}, peak RSS {}\n",
             threads, build.core_us_per_vector, build.wall_s,
             tools::show_bytes(build.resident_bytes), tools::show_bytes(build.peak_rss_bytes));
  tools::Table table(tools::recall_titles(peer.list_name()));
  for (const tools::RecallRow& row : rows) table.add(tools::recall_cells(row));
  fmt::print("{}\n", table.text());
}

std::uint32_t build_threads(const Options& options) {
  const auto& counts = options.work.thread_counts;
  return *std::max_element(counts.begin(), counts.end());
}

Status run(const Library& library, const Options& options) {
  const auto metric = parse_metric(options.metric);
  if (!metric) return fail(ErrorCode::invalid_argument, "unknown metric " + options.metric);
  CAIRN_ASSIGN(PeerOptions shape, read_shape(options.work, *metric));
  shape.threads = build_threads(options);
  shape.degree = options.degree;
  shape.ef_construction = options.ef_construction;
  shape.code_bytes = options.code_bytes;
  if (!can_hold(library, shape)) {
    fmt::print(stderr, "{}: skipped, it knows u8 under l2 alone\n", library.name);
    return {};
  }
  CAIRN_ASSIGN(const Queries queries, read_queries(options.work));
  if (queries.rows.dim != shape.dim || queries.rows.dtype != shape.dtype)
    return fail(ErrorCode::invalid_argument, "queries differ from the input in dimension or dtype");
  const auto peer = library.make(shape);
  CAIRN_ASSIGN(const BuildFigures build, measure_build(*peer, options.work, shape));
  std::vector<tools::RecallRow> rows;
  CAIRN_TRY(measure_searches(*peer, options.work, shape, queries, build,
                             [&](const tools::RecallRow& row, const AnswerTable&) {
                               rows.push_back(row);
                               return Status{};
                             }));
  if (!options.json) print_table(*peer, build, rows, shape.threads);
  for (const tools::RecallRow& row : rows)
    if (options.json) fmt::print("{}\n", row_json(library.name, row, build).dump());
  return {};
}

void declare(CLI::App& app, Options& options) {
  app.footer(
      "example: peers --input base.u8bin --queries query.u8bin --groundtruth gt.bin "
      "--list-size 20,40,80 --threads 1,2");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--input", options.work.input, "vectors to index")->required();
  app.add_option("--queries", options.work.queries, "query vectors")->required();
  app.add_option("--groundtruth", options.work.groundtruth, "of `cairn groundtruth`")->required();
  app.add_option("--metric", options.metric, "l2, ip or cosine");
  app.add_option("--only", options.only, "hnswlib, hnswlib-u8, faiss, faiss-ivfpq or faiss-hnsw");
  app.add_option("-k", options.work.k, "neighbours wanted")->check(CLI::Range(1, 1000));
  app.add_option("--list-size", options.work.list_sizes, "ef or nprobe of each row")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--threads", options.work.thread_counts, "of searches; the largest builds")
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--queries-max", options.work.queries_max, "use the first of them (0: all)");
  app.add_option("--degree", options.degree, "M of HNSW");
  app.add_option("--ef-construction", options.ef_construction, "of HNSW");
  app.add_option("--codes", options.code_bytes, "PQ bytes of IVF-PQ, at most")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", options.json, "one object per row");
  app.add_flag("--in-process", options.in_process)->group("");  // what main() adds
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs the queries on hnswlib and FAISS and prints the columns of `cairn recall`.");
  declare(app, options);
  CLI11_PARSE(app, argc, argv);
  if (options.work.list_sizes.empty()) options.work.list_sizes = {10, 20, 40, 80, 160};
  if (options.work.thread_counts.empty()) options.work.thread_counts = {1};
  for (const Library& library : kLibraries) {
    if (!options.in_process || options.only != library.name) continue;
    const Status status = run(library, options);
    if (!status) fmt::print(stderr, "{}: {}\n", library.name, status.error().to_string());
    return status ? 0 : 1;
  }
  if (!options.json) fmt::print("machine: {}\ninput: {}\n\n", machine(), options.work.input);
  std::fflush(stdout);
  int worst = 0, ran = 0;
  for (const Library& library : kLibraries) {
    if (!chosen(library.name, options.only)) continue;
    std::vector<std::string> args(argv, argv + argc);
    args.insert(args.end(), {"--only", library.name, "--in-process"});
    worst = std::max(worst, run_apart(args, build_threads(options)));
    ++ran;
  }
  if (ran == 0) fmt::print(stderr, "no such library: {}\n", options.only);
  return ran == 0 ? 2 : worst;
}

}  // namespace
}  // namespace cairn::peers

int main(int argc, char** argv) {
  try {
    return cairn::peers::main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peers: %s\n", error.what());
    return 1;
  }
}
