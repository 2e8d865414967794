// bench/compare: Cairn, hnswlib and FAISS on the same queries in one run, each in a process of its
// own; a table, a CSV file, result files of ann-benchmarks and plots.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/compare/ann_result.h"
#include "bench/compare/front.h"
#include "bench/compare/plots.h"
#include "bench/compare/systems.h"
#include "tools/verbs/verbs.h"

namespace cairn::compare {
namespace {

namespace fs = std::filesystem;

struct Options {
  Job job;
  AnnRun ann;
  std::string output, in_process;  // in_process: the system this process measures
  std::vector<std::string> only;
  double recall = 0.95;
  bool no_plots = false, again = false;
};

// Those of k up to 10; in proportion above.
constexpr std::uint32_t kListSizes[] = {10, 13, 18, 26, 40, 64, 100, 160};
constexpr std::uint32_t kSlackListSizes[] = {64, 160};
constexpr float kSlacks[] = {0, 0.05F, 0.1F, 0.15F, 0.2F, 0.3F};
constexpr std::uint32_t kEfs[] = {10, 15, 20, 30, 40, 60, 80, 120, 200, 400};
constexpr std::uint32_t kNprobes[] = {1, 2, 4, 8, 16, 32, 64, 128};

CLI::Option* add_list(CLI::App& app, const char* name, auto& values, const char* help) {
  return app.add_option(name, values, help)
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void declare_input(CLI::App& app, Options& options) {
  Job& job = options.job;
  app.add_option("--input", job.work.input, "Vectors to index")->required();
  app.add_option("--queries", job.work.queries, "Queries of the same dimension and type")
      ->required();
  app.add_option("--groundtruth", job.work.groundtruth,
                 "Exact neighbours, from `cairn groundtruth`; else computed");
  tools::add_metric(app, job.metric);
  app.add_option("--index", job.index, "Cairn's index of the input; else built with defaults");
  app.add_option("--output", options.output, "New or empty folder")->required();
  app.add_option("--name", options.ann.dataset,
                 "Of the data set, in titles and paths; default: the input's file name");
  add_list(app, "--only", options.only,
           "cairn, hnswlib, hnswlib-u8, faiss, faiss-ivfpq, faiss-hnsw; default: all");
  app.add_option("--queries-max", job.work.queries_max, "Use the first of them; 0: all");
  tools::add_threads(app, job.threads);
  app.add_option("-k", job.work.k, "Neighbours a query, default 10")->check(CLI::Range(1, 1000));
  app.add_option("--recall", options.recall, "Of the summary and the plot of memory, default 0.95")
      ->check(CLI::Range(0.0, 1.0));
  app.add_flag("--no-plots", options.no_plots, "Leave the plots out, and do without gnuplot");
  app.add_flag(
      "--again", options.again,
      "Measure nothing: report what an earlier run, whole or not, left in the output folder");
  app.add_option("--in-process", options.in_process)->group("");  // what run_systems() adds
}

void declare_sweep(CLI::App& app, Job& job) {
  add_list(app, "--memory", job.memory,
           "Limits that Cairn is opened with, default 40B/v,60B/v,85B/v,120B/v,200B/v");
  add_list(app, "--list-size", job.list_sizes,
           "Cairn's lists that are read whole, default 10,13,18,26,40,64,100,160");
  add_list(app, "--slack", job.slacks,
           "Slacks of --slack-list-size, default 0,0.05,0.1,0.15,0.2,0.3");
  add_list(app, "--slack-list-size", job.slack_list_sizes,
           "Cairn's lists that a slack ends early, default 64,160");
  app.add_option("--batch", job.batch_reads, "Cairn's reads in flight in a batch, default 32")
      ->check(CLI::Range(1, 64));
  add_list(app, "--ef", job.efs, "Of HNSW, default 10,15,20,30,40,60,80,120,200,400");
  add_list(app, "--nprobe", job.nprobes, "Of IVF-PQ, default 1,2,4,8,16,32,64,128");
}

/// Defaults where nothing was given. A list shorter than k has no k answers.
Status complete_sweep(Job& job) {
  const auto fill = [&](std::vector<std::uint32_t>& sizes, std::span<const std::uint32_t> usual) {
    if (sizes.empty())
      for (const std::uint32_t size : usual) sizes.push_back(size * std::max(job.work.k, 10U) / 10);
    return *std::min_element(sizes.begin(), sizes.end());
  };
  const std::uint32_t least = std::min({fill(job.list_sizes, kListSizes), fill(job.efs, kEfs),
                                        fill(job.slack_list_sizes, kSlackListSizes)});
  if (least < job.work.k)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "--list-size, --slack-list-size or --ef",
                 .found = std::to_string(least),
                 .expected = "at least k = " + std::to_string(job.work.k)});
  if (job.nprobes.empty()) job.nprobes.assign(std::begin(kNprobes), std::end(kNprobes));
  if (job.slacks.empty()) job.slacks.assign(std::begin(kSlacks), std::end(kSlacks));
  if (job.memory.empty()) job.memory = {"40B/v", "60B/v", "85B/v", "120B/v", "200B/v"};
  for (const std::string& memory : job.memory) CAIRN_TRY(tools::parse_size(memory));
  job.threads = tools::thread_count(job.threads);
  return {};
}

/// Names of the systems chosen, in the order of the report.
Result<std::vector<std::string>> chosen_systems(const std::vector<std::string>& only) {
  std::vector<std::string> all = {"cairn"}, systems;
  for (const peers::Library& library : peers::kLibraries) all.emplace_back(library.name);
  for (const std::string& word : only)
    if (std::none_of(all.begin(), all.end(),
                     [&](const std::string& name) { return peers::chosen(name, word); }))
      return fail(ErrorCode::invalid_argument, "--only: no system is called '" + word + "'");
  for (const std::string& name : all)
    if (only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& word) {
          return peers::chosen(name, word);
        }))
      systems.push_back(name);
  return systems;
}

/// All that can be known to go wrong before the work begins; makes the output folder.
Status prepare(Options& options) {
  if (!options.no_plots) CAIRN_TRY(check_gnuplot());
  Job& job = options.job;
  CAIRN_ASSIGN(const peers::PeerOptions input, peers::read_shape(job.work, job.metric));
  peers::Workload of_queries;
  of_queries.input = job.work.queries;
  CAIRN_ASSIGN(const peers::PeerOptions queries, peers::read_shape(of_queries, job.metric));
  if (queries.dim != input.dim || queries.dtype != input.dtype)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "search with the queries",
                 .file = job.work.queries,
                 .found = fmt::format("{} x {}", queries.dim, dtype_name(queries.dtype)),
                 .expected = fmt::format("{} x {}", input.dim, dtype_name(input.dtype))});
  if (!job.work.groundtruth.empty()) CAIRN_TRY(peers::read_queries(job.work));
  if (options.again) return {};
  std::error_code error;
  if (!job.index.empty() && !fs::exists(job.index, error))
    return fail({.code = ErrorCode::not_found, .what = "open the index", .file = job.index});
  fs::create_directories(options.output, error);
  if (error || !fs::is_empty(options.output, error))
    return fail({.code = ErrorCode::already_exists,
                 .what = "write the comparison",
                 .file = options.output,
                 .expected = "a new or empty folder"});
  if (job.index.empty()) job.index = options.output + "/index.cairn";
  return {};
}

/// The ground truth by the command's own verb, apart.
Status compute_groundtruth(Options& options, const std::string& program) {
  Job& job = options.job;
  if (!job.work.groundtruth.empty()) return {};
  job.work.groundtruth = options.output + "/groundtruth.bin";
  tools::say("compare: ground truth\n");
  const int code = peers::run_apart(
      {program, "--verb", "groundtruth", "--input", job.work.input, "--queries", job.work.queries,
       "-k", std::to_string(job.work.k), "--metric", std::string(metric_name(job.metric)),
       "--threads", std::to_string(job.threads), "--output", job.work.groundtruth},
      job.threads);
  if (code == 0) return {};
  return fail(ErrorCode::io, "no ground truth: see the message above");
}

/// This process measures one system: points to standard output as JSON, results beside.
Status measure(const Options& options) {
  const auto emit = [&](Point& point, const peers::AnswerTable& answers) -> Status {
    point.result_file = ann_result_file(options.ann, point, answers.k);
    CAIRN_TRY(write_ann_result(options.output, options.ann, point, answers));
    tools::print(point_json(point).dump() + "\n");
    return tools::flush_output();
  };
  if (options.in_process == "cairn") return measure_cairn(options.job, emit);
  for (const peers::Library& library : peers::kLibraries)
    if (options.in_process == library.name) return measure_library(library, options.job, emit);
  return fail(ErrorCode::invalid_argument, "no system is called '" + options.in_process + "'");
}

/// Each point as the process that measured it gave it, a line a point.
std::string points_file(const Options& options) { return options.output + "/points.jsonl"; }

/// One process a system, one after the other; what is measured stays whatever follows.
Result<std::vector<Point>> run_systems(const Options& options,
                                       const std::vector<std::string>& systems,
                                       std::vector<std::string> args) {
  const Job& job = options.job;
  args.insert(args.end(), {"--groundtruth", job.work.groundtruth, "--index", job.index, "--threads",
                           std::to_string(job.threads), "--in-process", ""});
  std::vector<Point> points;
  std::ofstream kept(points_file(options));
  for (const std::string& system : systems) {
    args.back() = system;
    Status status;
    const int code = peers::run_apart(args, job.threads, [&](const std::string& line) {
      kept << line << std::endl;
      auto point = parse_point(line);
      if (point)
        points.push_back(std::move(*point));
      else if (status)
        status = fail(std::move(point).error());
    });
    CAIRN_TRY(std::move(status));
    if (code != 0)
      return fail(ErrorCode::io, fmt::format("{} ended with exit code {}", system, code));
  }
  if (points.empty()) return fail(ErrorCode::invalid_argument, "no system could be measured");
  return points;
}

Result<std::vector<Point>> read_points(const Options& options) {
  std::ifstream file(points_file(options));
  std::vector<Point> points;
  for (std::string line; std::getline(file, line);) {
    CAIRN_ASSIGN(Point point, parse_point(line));
    points.push_back(std::move(point));
  }
  if (!points.empty()) return points;
  return fail({.code = ErrorCode::not_found, .what = "read points", .file = points_file(options)});
}

Result<std::vector<Point>> measure_all(Options& options, const std::vector<std::string>& args) {
  CAIRN_ASSIGN(const std::vector<std::string> systems, chosen_systems(options.only));
  CAIRN_TRY(prepare(options));
  if (options.again) return read_points(options);
  CAIRN_TRY(compute_groundtruth(options, args[0]));
  return run_systems(options, systems, args);
}

Status report(const Options& options, const std::vector<Point>& points) {
  const Job& job = options.job;
  CAIRN_ASSIGN(const peers::PeerOptions input, peers::read_shape(job.work, job.metric));
  const std::string dataset =
      fmt::format("{}, {} x {} {}, {}", options.ann.dataset, tools::show_count(input.count),
                  input.dim, dtype_name(input.dtype), metric_name(job.metric));
  const std::string conditions =
      fmt::format("k = {}, {} queries, {} threads, {}", job.work.k,
                  tools::show_count(points[0].queries), job.threads, peers::machine());
  const std::string text = fmt::format("{}\n{}\n\n{}\n{}", dataset, conditions, points_text(points),
                                       summary_text(points, options.recall));
  CAIRN_TRY(write_text(options.output + "/table.txt", text));
  CAIRN_TRY(write_text(options.output + "/results.csv", points_csv(points)));
  tools::print(text);
  CAIRN_TRY(tools::flush_output());
  if (options.no_plots) return {};
  return draw_plots(options.output, points,
                    {.dataset = dataset,
                     .conditions = conditions,
                     .recall = options.recall,
                     .k = job.work.k,
                     .vector_bytes = input.dim * dtype_bytes(input.dtype)});
}

Status run(Options& options, const std::vector<std::string>& args) {
  CAIRN_TRY(complete_sweep(options.job));
  if (options.ann.dataset.empty())
    options.ann.dataset = fs::path(options.job.work.input).filename().stem();
  options.ann.metric = options.job.metric;
  if (!options.in_process.empty()) return measure(options);
  CAIRN_ASSIGN(const std::vector<Point> points, measure_all(options, args));
  return report(options, points);
}

int main(int argc, char** argv) {
  Options options;
  options.job.threads = 0;
  CLI::App app{
      "Cairn, hnswlib and FAISS on the same queries in one run, each in a process of its own.\n"
      "Writes into the output folder: table.txt (which is printed too), results.csv, results/ for\n"
      "ann-benchmarks, recall-qps, recall-reads and memory-reads as .svg and .png."};
  app.name("compare");
  app.footer(
      "example: compare --input base.u8bin --queries q.u8bin --output compared --threads 2 \\\n"
      "             --memory 40B/v,120B/v --only cairn,hnswlib --queries-max 2000");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  declare_input(app, options);
  declare_sweep(app, options.job);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Status status = run(options, {argv, argv + argc});
  if (status) return 0;
  tools::say(fmt::format("compare: {}\n", status.error().to_string()));
  return status.error().code == ErrorCode::invalid_argument ? 2 : 1;
}

}  // namespace
}  // namespace cairn::compare

int main(int argc, char** argv) {
  try {
    if (argc > 1 && std::string_view(argv[1]) == "--verb")
      return cairn::tools::run(argc - 1, argv + 1, {cairn::tools::groundtruth_verb()});
    return cairn::compare::main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return 1;
  }
}
