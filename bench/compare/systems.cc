#include "bench/compare/systems.h"

#include <cairn/builder.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "tools/build/build_progress.h"
#include "tools/index_options.h"
#include "tools/progress.h"
#include "tools/vector_files.h"

namespace cairn::compare {
namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "clang++ " __clang_version__;
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

/// What is known once the index is there.
struct Built {
  std::optional<double> wall_s, core_us;
};

Result<Built> build_cairn(const Job& job) {
  if (std::filesystem::exists(job.index)) return Built{};
  CAIRN_ASSIGN(const auto source, tools::VectorFiles::open({job.work.input}));
  tools::say(fmt::format("compare: cairn: build of {} vectors\n", source->count()));
  tools::BuildProgressPrinter printer(
      ::isatty(STDERR_FILENO) == 1 ? tools::ProgressStyle::terminal : tools::ProgressStyle::none,
      source->count());
  BuildOptions options{.metric = job.metric, .threads = job.threads};
  options.progress = [&](const BuildProgress& step) {
    printer.update(step);
    return true;
  };
  CAIRN_ASSIGN(const BuildReport report, build_index(job.index, *source, options));
  return Built{.wall_s = report.wall_s,
               .core_us = 1e6 * report.cpu_s / static_cast<double>(report.vectors)};
}

std::string describe(const IndexStats& stats) {
  return fmt::format(
      "Cairn {}, compiled by {}, kernels chosen at run time: {}; {}; in RAM: codes {} + {} B, "
      "{} edges, cache {} KiB",
      CAIRN_VERSION, kCompiler, stats.kernel_path, stats.io_backend, stats.code_bytes,
      stats.refine_bytes_loaded, stats.nav_edges_loaded, stats.cache_ram_bytes / 1024);
}

Status check_index(const Job& job, const IndexStats& stats, const peers::PeerOptions& input) {
  const auto text = [](std::uint64_t count, std::uint32_t dim, DType dtype, Metric metric) {
    return fmt::format("{} x {} {}, {}", count, dim, dtype_name(dtype), metric_name(metric));
  };
  const std::string found = text(stats.vector_count, stats.dim, stats.dtype, stats.metric);
  const std::string expected = text(input.count, input.dim, input.dtype, input.metric);
  if (found == expected) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "compare with the index",
               .file = job.index,
               .found = found,
               .expected = expected + ", as the input"});
}

/// Every setting of one series.
std::vector<tools::RecallOptions> settings(const Job& job, std::uint32_t batch_reads) {
  std::vector<tools::RecallOptions> all;
  tools::RecallOptions one{.k = job.work.k, .threads = job.threads, .batch_reads = batch_reads};
  for (const std::uint32_t list_size : job.list_sizes) {
    one.list_size = list_size;
    all.push_back(one);
  }
  for (const std::uint32_t list_size : job.slack_list_sizes)
    for (const float slack : job.slacks) {
      one.list_size = list_size;
      one.slack = slack;
      all.push_back(one);
    }
  return all;
}

/// All settings of one series; `point` holds what they have in common.
Status measure_series(const Job& job, const Index& index, const peers::Queries& queries,
                      Point point, const Emit& emit) {
  const auto rows = settings(job, point.batch);
  tools::say(fmt::format("compare: {}: {} points\n", point.series(), rows.size()));
  for (tools::RecallOptions options : rows) {
    peers::AnswerTable answers(queries.rows.count, job.work.k);
    options.seen = [&](std::uint64_t query, const SearchResult& result, double latency_us) {
      answers.latency_us[query] = latency_us;
      for (std::size_t rank = 0; rank < result.neighbors.size(); ++rank)
        answers.set(query, rank, result.neighbors[rank].label, result.neighbors[rank].distance);
    };
    tools::Progress progress(point.series(), queries.rows.count, false);
    CAIRN_ASSIGN(point.row, tools::measure_recall(index, queries.rows, queries.kth_distance,
                                                  options, [&](std::uint64_t done) {
                                                    progress.update(done);
                                                    return Status{};
                                                  }));
    CAIRN_TRY(emit(point, answers));
  }
  return {};
}

}  // namespace

Status measure_cairn(const Job& job, const Emit& emit) {
  CAIRN_ASSIGN(const peers::PeerOptions input, peers::read_shape(job.work, job.metric));
  CAIRN_ASSIGN(const peers::Queries queries, peers::read_queries(job.work));
  CAIRN_ASSIGN(const Built built, build_cairn(job));
  for (const std::string& memory : job.memory) {
    CAIRN_ASSIGN(const tools::Size size, tools::parse_size(memory));
    auto index = tools::open_index({.folder = job.index, .memory = size});
    if (!index && index.error().code == ErrorCode::over_limit) {
      tools::say(
          fmt::format("compare: cairn {}: left out: {}\n", memory, index.error().to_string()));
      continue;
    }
    if (!index) return fail(std::move(index).error());
    const IndexStats stats = (*index)->stats();
    CAIRN_TRY(check_index(job, stats, input));
    Point point{.system = "cairn",
                .memory = memory,
                .list_name = "list",
                .vectors = input.count,
                .queries = queries.rows.count,
                .build_wall_s = built.wall_s,
                .build_core_us = built.core_us,
                .disk_bytes = stats.disk_bytes,
                .description = describe(stats)};
    for (const std::uint32_t batch : {job.batch_reads, 0U}) {
      point.batch = batch;
      CAIRN_TRY(measure_series(job, **index, queries, point, emit));
    }
  }
  return {};
}

Status measure_library(const peers::Library& library, const Job& job, const Emit& emit) {
  CAIRN_ASSIGN(peers::PeerOptions shape, peers::read_shape(job.work, job.metric));
  shape.threads = job.threads;
  if (!peers::can_hold(library, shape)) {
    tools::say(fmt::format("compare: {}: left out, it knows u8 under l2 alone\n", library.name));
    return {};
  }
  CAIRN_ASSIGN(const peers::Queries queries, peers::read_queries(job.work));
  const auto peer = library.make(shape);
  tools::say(fmt::format("compare: {}: build of {} vectors\n", library.name, shape.count));
  CAIRN_ASSIGN(const peers::BuildFigures build, peers::measure_build(*peer, job.work, shape));
  peers::Workload work = job.work;
  work.thread_counts = {job.threads};
  work.list_sizes = peer->list_name() == "nprobe" ? job.nprobes : job.efs;
  Point point{.system = library.name,
              .list_name = peer->list_name(),
              .vectors = shape.count,
              .queries = queries.rows.count,
              .build_wall_s = build.wall_s,
              .build_core_us = build.core_us_per_vector,
              .description = peer->description()};
  tools::say(fmt::format("compare: {}: {} points\n", library.name, work.list_sizes.size()));
  return peers::measure_searches(
      *peer, work, shape, queries, build,
      [&](const tools::RecallRow& row, const peers::AnswerTable& answers) {
        point.row = row;
        return emit(point, answers);
      });
}

}  // namespace cairn::compare
