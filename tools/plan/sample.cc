#include "tools/plan/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/build/builder_fs.h"
#include "engine/build/replace_calibration.h"
#include "engine/search/calibrate.h"
#include "engine/search/exact.h"
#include "engine/search/open_index.h"
#include "tools/cli.h"
#include "tools/figures.h"
#include "tools/interrupt.h"
#include "tools/plan/roomy_fs.h"
#include "tools/plan/scratch.h"
#include "tools/recall/measure.h"

namespace cairn::tools::plan {
namespace {

// Sub-samples, as shares of the sample.
constexpr std::array<std::uint64_t, 4> kNested = {8, 4, 2, 1};
// Rows kept out for queries: at most so many, and one in so many.
constexpr std::uint64_t kQueries = 2000, kRowsAQuery = 16;
constexpr std::uint32_t kBatchReads = 32;
constexpr std::uint32_t kReadBytes = 4096;

/// Distance of each query's k-th neighbour.
Result<std::vector<float>> kth_distances(DrawnRows& rows, const VectorBatch& queries,
                                         const Workload& workload, std::uint32_t threads) {
  std::vector<std::byte> bytes(rows.count() * rows.dim() * dtype_bytes(rows.dtype()));
  CAIRN_TRY(rows.read(0, bytes, {}));
  MemoryRows stream({bytes.data(), rows.count(), rows.dim(), rows.dtype()});
  search::ExactOptions options{
      .metric = workload.metric,
      .k = workload.k,
      .threads = thread_count(threads),
      .progress = [](std::uint64_t, std::uint64_t) { return check_interrupt(); }};
  CAIRN_ASSIGN(const auto exact, search::exact_neighbors(stream, queries, options));
  std::vector<float> kth(queries.count);
  for (std::size_t i = 0; i < kth.size(); ++i)
    kth[i] = exact.distances[i * workload.k + workload.k - 1];
  return kth;
}

}  // namespace

Result<Sampler> Sampler::open(const Workload& workload, SampleOptions options) {
  CAIRN_ASSIGN(auto rows, DrawnRows::draw(options.vectors, options.rows, options.seed));
  Sampler sampler(workload, std::move(options), std::move(rows));
  DrawnRows& drawn = sampler.rows_;
  CAIRN_TRY(check_shape(sampler.options_.vectors, {drawn.dtype(), drawn.dim()},
                        {workload.dtype, workload.dim}, "the plan", "plan by"));
  if (sampler.options_.queries.empty()) {
    sampler.queries_ = drawn.split(std::min(kQueries, drawn.count() / kRowsAQuery));
  } else {
    CAIRN_ASSIGN(sampler.given_, load_vectors(sampler.options_.queries, workload.metric));
    CAIRN_TRY(check_shape(sampler.options_.queries, sampler.given_.shape(),
                          {workload.dtype, workload.dim}, "the plan"));
    sampler.queries_ = sampler.given_.batch();
    sampler.queries_.count = std::min(sampler.queries_.count, kQueries);
  }
  if (workload.k > drawn.count() / kNested.front())
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "plan by the sample",
                 .file = sampler.options_.vectors,
                 .found = std::to_string(drawn.count()) + " vectors",
                 .expected = fmt::format("at least {} for k = {}", kNested.front() * workload.k,
                                         workload.k)});
  return sampler;
}

Status Sampler::tick(const std::string& doing) const {
  return options_.tick ? options_.tick(doing) : Status{};
}

Result<BuildPlan> Sampler::plan(const BuildOptions& options) {
  CAIRN_TRY(tick("a trial of the build"));
  CAIRN_ASSIGN(const ScratchFolder scratch, ScratchFolder::create(options_.folder));
  RoomyFs fs;
  BuildOptions stoppable = options;
  stoppable.progress = [](const BuildProgress&) { return !interrupted(); };
  return build::plan_build(fs, scratch.path() + "/trial", rows_, stoppable, workload_.count, true);
}

Result<Sample> Sampler::measure(BuildOptions options,
                                const std::vector<search::SegmentPlan>& states) {
  options.calibration_rows = 0;
  options.memory_bytes = 0;
  options.disk_bytes = 0;
  options.progress = [](const BuildProgress&) { return !interrupted(); };
  Sample sample{.rows = rows_.count(),
                .file_rows = rows_.file_rows(),
                .queries = static_cast<std::uint32_t>(queries_.count),
                .states = {},
                .adjacency = {}};
  for (const search::SegmentPlan& loaded : states)
    sample.states.push_back({.loaded = loaded, .points = {}});
  CAIRN_ASSIGN(const ScratchFolder scratch, ScratchFolder::create(options_.folder));
  for (const std::uint64_t share : kNested) {
    const std::uint64_t count = rows_.count() / share;
    CAIRN_TRY(tick(fmt::format("an index of {} vectors", show_count(count))));
    CAIRN_TRY(measure_one(scratch.path() + "/" + std::to_string(count), options, count, sample));
  }
  return sample;
}

Status Sampler::measure_one(const std::string& folder, const BuildOptions& options,
                            std::uint64_t count, Sample& sample) {
  DrawnRows rows = rows_.first(count);
  io::Fs& fs = io::posix_fs();
  CAIRN_TRY(build_index(folder, rows, options));
  CAIRN_TRY(tick(fmt::format("searches of {} vectors", show_count(count))));
  search::CalibrateStates states{.states = {}, .neighbors = {workload_.k}};
  for (const SampleState& state : sample.states) states.states.push_back(state.loaded);
  CAIRN_ASSIGN(const auto calibration,
               search::measure_calibration(fs, folder,
                                           {.queries = queries_,
                                            .threads = options_.threads,
                                            .progress = [](double) { return !interrupted(); }},
                                           states));
  CAIRN_TRY(build::replace_calibration(fs, folder, calibration));
  const bool largest = count == rows_.count();
  std::vector<float> kth;
  if (largest) {
    CAIRN_ASSIGN(kth, kth_distances(rows, queries_, workload_, options_.threads));
  }
  CAIRN_TRY(measure_blocks(folder, count, sample));
  for (SampleState& state : sample.states) {
    CAIRN_ASSIGN(const auto index, search::open_index(fs, folder, {}, state.loaded));
    CAIRN_ASSIGN(const SearchEffort effort, index->effort(workload_.k, workload_.recall));
    const double block_reads = index->stats().block_bytes / kReadBytes;
    state.points.push_back({.count = count,
                            .recall = effort.recall,
                            .blocks = effort.reads / block_reads,
                            .blocks_wide = effort.reads_wide / block_reads,
                            .reached = effort.reached});
    if (largest) CAIRN_TRY(measure_searches(*index, kth, state));
  }
  return {};
}

Status Sampler::measure_blocks(const std::string& folder, std::uint64_t count, Sample& sample) {
  CAIRN_ASSIGN(const auto index, Index::open(folder));
  CAIRN_ASSIGN(const StructureReport structure, index->inspect());
  sample.adjacency.push_back({count, static_cast<double>(structure.adjacency_bytes) /
                                         static_cast<double>(structure.vectors)});
  return {};
}

Status Sampler::measure_searches(const Index& index, std::span<const float> kth,
                                 SampleState& state) const {
  const auto stopped = [](std::uint64_t) { return check_interrupt(); };
  RecallOptions options{.k = workload_.k, .recall = workload_.recall, .batch_reads = kBatchReads};
  CAIRN_ASSIGN(const RecallRow batch, measure_recall(index, queries_, kth, options, stopped));
  state.core_us = batch.cpu_us;
  state.found = batch.recall;
  options.batch_reads = 0;
  std::vector<double> rounds;
  options.seen = [&](std::uint64_t, const SearchResult& result, double) {
    rounds.push_back(result.counters.rounds);
  };
  CAIRN_ASSIGN(const RecallRow alone, measure_recall(index, queries_, kth, options, stopped));
  state.alone_core_us = alone.cpu_us;
  state.rounds = alone.rounds;
  state.rounds_p99 = latency_of(std::move(rounds)).p99_us;
  return {};
}

}  // namespace cairn::tools::plan
