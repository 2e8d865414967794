#include "engine/build/estimate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/build/cells.h"
#include "engine/build/graph_files.h"
#include "engine/build/measure_recall.h"
#include "engine/build/pack.h"
#include "engine/build/pipnn.h"
#include "engine/build/sample.h"
#include "engine/build/scatter.h"
#include "engine/build/trial.h"
#include "engine/math/pq.h"
#include "engine/search/calibrate.h"
#include "io/page_file.h"
#include "layout/streams.h"

namespace cairn::build {
namespace {

// In the order of the pipeline.
constexpr std::array<const char*, 9> kPhases{"read",   "train", "scatter", "link",  "merge",
                                             "repair", "write", "verify",  "recall"};
enum Phase { read, train, scatter, link, merge, mend, write, verify, recall };

constexpr std::uint64_t kRowsMin = 8192, kRowsMax = 65536;
constexpr std::uint64_t kRanges = 16;  // of the input, from which those rows come
// Of the linking of a core vector, what a second copy costs: it is pruned from few candidates.
constexpr double kSecondCopyCost = 0.7;
// Of the linking of a vector, what follows the number of distances; the rest are rows and prunes.
constexpr double kDistanceShare = 0.6;
// What allocators keep beyond what members are said to take: measured on 1M to 10M vectors.
constexpr double kKept = 1.04;
// Rows that a trial measures recall with: as many as lists are tried out with first.
constexpr std::uint32_t kTrialRows = search::kPilotQueries;
// What a row beyond those takes of their time, and how the time grows with the vectors: 50k and
// 500k SIFT, 100 and 1,000 rows.
constexpr double kLaterRow = 0.26, kRecallGrowth = 0.43;
// What a thread of searches takes then: blocks under way, and traces.
constexpr std::uint64_t kTracerBytes = 20 << 20;
// Of the edges of a list, those whose gaps grow with the number of vectors.
constexpr double kFarEdges = 0.5;

/// Vectors in memory, and their edges where those are kept.
class MemorySource final : public VectorSource {
 public:
  MemorySource(std::vector<std::byte> rows, std::uint32_t dim, DType dtype)
      : rows_(std::move(rows)), dim_(dim), dtype_(dtype) {}
  void take_edges(std::vector<std::uint32_t> edges, std::vector<std::uint8_t> starts) {
    edges_ = std::move(edges);
    starts_ = std::move(starts);
  }
  std::uint32_t dim() const override { return dim_; }
  DType dtype() const override { return dtype_; }
  std::uint64_t count() const override { return rows_.size() / row_bytes(); }
  Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label>) override {
    std::memcpy(rows.data(), rows_.data() + first * row_bytes(), rows.size());
    return {};
  }
  std::uint32_t edges_max() const override {
    return static_cast<std::uint32_t>(edges_.size() / count());
  }
  Status read_edges(std::uint64_t first, std::span<std::uint32_t> edges,
                    std::span<std::uint8_t> starts) override {
    std::copy_n(edges_.begin() + static_cast<std::ptrdiff_t>(first * edges_max()), edges.size(),
                edges.begin());
    std::copy_n(starts_.begin() + static_cast<std::ptrdiff_t>(first), starts.size(),
                starts.begin());
    return {};
  }
  std::uint64_t stamp() const override { return 0; }
  VectorBatch batch() const { return {rows_.data(), count(), dim_, dtype_}; }

 private:
  std::size_t row_bytes() const { return dim_ * dtype_bytes(dtype_); }

  std::vector<std::byte> rows_;
  std::uint32_t dim_;
  DType dtype_;
  std::vector<std::uint32_t> edges_;
  std::vector<std::uint8_t> starts_;
};

/// Runs of rows from all over the source, with `kept_edges` of each: lists as long as those of the
/// source, whose targets are others, since most of theirs are not among the runs.
Result<MemorySource> draw_runs(VectorSource& source, std::uint64_t wanted,
                               std::uint32_t kept_edges) {
  const std::size_t row_bytes = source.dim() * dtype_bytes(source.dtype());
  const std::uint64_t ranges = std::min(kRanges, std::max<std::uint64_t>(1, wanted / kRanges));
  const std::uint64_t each = wanted / ranges;
  std::vector<std::byte> rows(ranges * each * row_bytes);
  std::vector<Label> labels(source.labelled() ? each : 0);
  std::vector<std::uint32_t> edges(ranges * each * kept_edges);
  std::vector<std::uint8_t> starts(kept_edges == 0 ? 0 : ranges * each);
  for (std::uint64_t r = 0; r < ranges; ++r) {
    const std::uint64_t first =
        (source.count() - each) * r / std::max<std::uint64_t>(1, ranges - 1);
    CAIRN_TRY(source.read(first, std::span(rows).subspan(r * each * row_bytes, each * row_bytes),
                          labels));
    if (kept_edges == 0) continue;
    CAIRN_TRY(source.read_edges(first,
                                std::span(edges).subspan(r * each * kept_edges, each * kept_edges),
                                std::span(starts).subspan(r * each, each)));
  }
  for (std::uint32_t& edge : edges)
    if (edge != kNoRow) edge = static_cast<std::uint32_t>(edge % (ranges * each));
  MemorySource runs(std::move(rows), source.dim(), source.dtype());
  runs.take_edges(std::move(edges), std::move(starts));
  return runs;
}

double pages(double bytes) { return bytes * layout::kPageBytes / layout::kPagePayloadBytes; }

class Planner {
 public:
  Planner(io::Fs& fs, const std::string& target, VectorSource& source, const BuildOptions& options,
          std::uint64_t count)
      : fs_(fs),
        target_(target),
        source_(source),
        options_(options),
        space_{options.metric, source.dtype(), source.dim(), 0},
        kept_edges_(options.keep_edges ? source.edges_max() : 0),
        count_(count) {}

  Result<BuildPlan> run(bool calibrate) {
    CAIRN_ASSIGN(budget_, make_budget(space_, count_, options_, kept_edges_));
    plan_.vectors = count_;
    plan_.memory_min_bytes = budget_.memory_min_bytes;
    Status measured = fail(ErrorCode::unsupported, "not asked for");
    if (calibrate) measured = measure();
    // What is wrong with the vectors is said, by row, when all of them are read.
    if (!measured && (measured.error().code == ErrorCode::cancelled ||
                      measured.error().code == ErrorCode::no_space))
      return fail(std::move(measured).error());
    if (measured) {
      take_times();
    } else {
      plan_.partitions = budget_.partitions;
      plan_.copies = budget_.partitions == 1 || kept_edges_ != 0 ? 1 : kCopiesExpected;
      fullest_ = std::min(static_cast<double>(budget_.members_max),
                          static_cast<double>(count_) * plan_.copies / plan_.partitions);
    }
    take_sizes();
    CAIRN_TRY(check_room());
    return plan_;
  }

 private:
  Status measure() {
    const std::uint64_t rows_by_memory =
        options_.memory_bytes / 16 / (space_.row_dim() * sizeof(float));
    const std::uint64_t rows =
        std::min({source_.count(), std::clamp(count_ / 16, kRowsMin, kRowsMax), rows_by_memory});
    CAIRN_ASSIGN(MemorySource sample, draw_runs(source_, rows, kept_edges_));
    cut(sample.batch());
    BuildOptions options = options_;
    options.partitions = plan_.partitions == 1 ? 1 : 2;
    options.calibration_rows = std::min(options_.calibration_rows, kTrialRows);
    options.planned = {};
    options.log = {};
    CAIRN_ASSIGN(trial_, run_trial(fs_, target_, sample, options));
    return {};
  }

  /// The partitions that the whole would have, from the rows at hand.
  void cut(const VectorBatch& raw) {
    const Workers workers(options_.threads);
    Space space = space_;
    for (std::uint64_t i = 0; i < raw.count && space.metric == Metric::ip; ++i)
      space.squared_norm_max = std::max(space.squared_norm_max, squared_norm(raw.row(i)));
    const Cells cells = Cells::train(space, raw,
                                     {.cells = budget_.partitions,
                                      .members_max = static_cast<double>(budget_.cell_members),
                                      .vectors = static_cast<double>(count_),
                                      .seed = options_.seed},
                                     workers);
    std::vector<Home> homes(raw.count);
    Cells::Scratch scratch;
    cells.assign(raw, homes, scratch);
    std::vector<double> members(cells.count());
    double all = 0;
    for (const Home& home : homes)
      for (const std::uint32_t cell : {home.first, kept_edges_ == 0 ? home.second : kNoCell})
        if (cell != kNoCell) members[cell] += 1, all += 1;
    const double weight = static_cast<double>(count_) / static_cast<double>(raw.count);
    plan_.partitions = cells.count();
    plan_.copies = all / static_cast<double>(raw.count);
    fullest_ = std::min(static_cast<double>(budget_.cell_members),
                        weight * *std::max_element(members.begin(), members.end()));
  }

  /// Of a build of so many vectors in so many partitions.
  std::array<std::uint64_t, kPhases.size()> units(std::uint64_t count,
                                                  std::uint32_t partitions) const {
    const std::uint64_t scatters = (count + budget_.scatter_rows - 1) / budget_.scatter_rows;
    return {1, 2, scatters, partitions, partitions, 1, partitions + 3ULL, 1, 1};
  }

  void take_times() {
    const double n = static_cast<double>(count_), m = static_cast<double>(trial_.report.vectors);
    const auto linked = [](double copies) { return 1 + kSecondCopyCost * (copies - 1); };
    const double cell = n * plan_.copies / plan_.partitions;
    const double measured_cell = m * trial_.report.copies / trial_.report.partitions;
    const double distances = link_distances(cell) / link_distances(measured_cell);
    std::array<double, kPhases.size()> scale{};
    scale.fill(n / m);
    scale[train] = static_cast<double>(sample_rows(count_, space_.dim)) /
                   static_cast<double>(sample_rows(trial_.report.vectors, space_.dim));
    scale[link] *= linked(plan_.copies) / linked(trial_.report.copies) *
                   (1 - kDistanceShare + kDistanceShare * distances);
    const std::uint32_t rows = options_.calibration_rows, first = std::min(rows, kTrialRows);
    if (rows != 0)
      scale[recall] = (first + kLaterRow * (rows - first)) / first * std::pow(n / m, kRecallGrowth);
    // Files, and so waits for the disk, go with units of work; those of the scatter with groups
    // too.
    const auto all = units(count_, plan_.partitions);
    const auto done = units(trial_.report.vectors, trial_.report.partitions);
    for (std::size_t p = 0; p < kPhases.size(); ++p) {
      const auto phase = static_cast<Phase>(p);
      if (phase == recall && options_.calibration_rows == 0) break;
      double syncs = static_cast<double>(all[p]) / static_cast<double>(done[p]);
      if (phase == scatter)
        syncs *= static_cast<double>(scatter_groups(plan_.partitions)) /
                 scatter_groups(trial_.report.partitions);
      const Trial::Times& times = trial_.phase(kPhases[p]);
      const double seconds = times.work_s * scale[p] + times.syncs_s * syncs;
      plan_.phases.push_back({kPhases[p], seconds, all[p]});
      plan_.seconds += seconds;
    }
  }

  void take_sizes() {
    const double n = static_cast<double>(count_);
    const double row = static_cast<double>(space_.raw_row_bytes());
    double cores = 0, seconds = 0, lists = 0, inbox = 0, entries = 0;
    for (const LinkedCell& cell : trial_.cells) {
      cores += static_cast<double>(cell.cores);
      seconds += static_cast<double>(cell.seconds);
      lists += static_cast<double>(cell.list_bytes);
      inbox += static_cast<double>(cell.inbox_bytes);
      entries += static_cast<double>(cell.entries);
    }
    // Where nothing was measured: what 128 bytes a row and 57 edges take.
    const double list_bytes = cores > 0 ? lists / cores : 3.4 * options_.degree;
    const double inbox_bytes = seconds > 0 ? inbox / seconds : 80;
    const double entry_bytes = cores > 0
                                   ? entries / cores * static_cast<double>(space_.row_bytes() + 4)
                                   : static_cast<double>(space_.row_bytes() + 4) / 32;
    const layout::BlockShape shape = block_shape();
    const ListShape form = ListShape::of(options_.degree, count_, shape);
    const double copies = plan_.copies - 1;
    const double links = kept_edges_ == 0 ? 0 : 4.0 * (kept_edges_ + 1);
    const double core = pages(n * (row + 8 + links)), second = pages(n * copies * (row + 8));
    const double slots = pages(n * (5 + 4 * copies));
    const double inboxes = pages(n * copies * inbox_bytes);
    const double graph = pages(n * static_cast<double>(form.chunk_bytes(1)));
    const double samples = pages(n * entry_bytes);
    const double nav = pages(n * form.bits * std::min(form.slices(), (options_.nav_edges + 7) / 8));
    const double blocks = n * shape.block_bytes / shape.slots;
    const double books =
        static_cast<double>((1 + options_.refine_layers.size()) * math::codebook_bytes(space_.dim));
    const double codes = pages(n * (options_.code_bytes + *options_.refine_bytes) + books);
    const double labels = n * layout::kPageBytes / layout::kLabelsPerLeaf;
    const double index = blocks + codes + nav + labels + n / 8;
    // At the end of: the scatter; the linking, an eighth of second copies left to go; the joining;
    // navigation; the writing, a part of an eighth of core records left.
    const double joined = core + slots + samples + graph;
    const double linked = core + slots + samples + inboxes + pages(n * list_bytes) + second / 8;
    plan_.index_bytes = static_cast<std::uint64_t>(index);
    plan_.disk_bytes =
        static_cast<std::uint64_t>(std::max({core + second, linked, joined + inboxes, joined + nav,
                                             index + slots + samples + core / 16}));
    const auto peak = static_cast<std::uint64_t>(
        kKept * fullest_ * static_cast<double>(member_bytes(space_, options_.degree, kept_edges_)));
    plan_.memory_bytes = std::max(budget_.peak_min_bytes, budget_.fixed_bytes + peak);
    if (options_.calibration_rows == 0) return;
    const auto cache = std::min(static_cast<double>(search::kCalibrationCacheBytes), blocks);
    const auto resident = static_cast<std::uint64_t>(
        codes + nav + cache + static_cast<double>(kTracerBytes * options_.threads));
    plan_.memory_bytes = std::max(
        plan_.memory_bytes,
        budget_.fixed_bytes + std::min(resident, measured_index_bytes(options_.memory_bytes)));
  }

  /// Each doubling of the numbers lengthens the gaps between far targets by a bit, of 7 to a byte.
  layout::BlockShape block_shape() const {
    const bool norms = space_.metric == Metric::cosine;
    const auto row_bytes = static_cast<std::uint32_t>(space_.raw_row_bytes());
    if (trial_.cells.empty()) return choose_shape(row_bytes, norms, 2.0 * options_.degree);
    const layout::BlockShape shape{
        .block_bytes = static_cast<std::uint32_t>(trial_.cells[0].block_bytes),
        .slots = static_cast<std::uint32_t>(trial_.cells[0].slots_per_block),
        .row_bytes = row_bytes,
        .has_norms = norms};
    const double doublings =
        std::log2(static_cast<double>(count_) / static_cast<double>(trial_.report.vectors));
    const double longer = kFarEdges * trial_.report.mean_degree * doublings / 7;
    return choose_shape(row_bytes, norms,
                        static_cast<double>(shape.adjacency_capacity()) / shape.slots + longer);
  }

  Status check_room() const {
    if (options_.disk_bytes != 0 && plan_.disk_bytes > options_.disk_bytes)
      return fail({.code = ErrorCode::over_limit,
                   .what = "build with work and index on disk of at most",
                   .found = std::to_string(options_.disk_bytes) + " bytes",
                   .expected = "about " + std::to_string(plan_.disk_bytes)});
    CAIRN_ASSIGN(const std::uint64_t free_bytes, fs_.free_bytes(io::parent_dir(target_)));
    if (static_cast<double>(free_bytes) > 0.9 * static_cast<double>(plan_.index_bytes)) return {};
    return fail({.code = ErrorCode::no_space,
                 .what = "build an index where it has no room",
                 .file = target_,
                 .found = std::to_string(free_bytes) + " bytes free on disk",
                 .expected = "about " + std::to_string(plan_.index_bytes) + " for the index, " +
                             std::to_string(plan_.disk_bytes) + " with the work towards it"});
  }

  io::Fs& fs_;
  const std::string& target_;
  VectorSource& source_;
  const BuildOptions& options_;
  Space space_;
  std::uint32_t kept_edges_;  // as of Job
  std::uint64_t count_;
  Budget budget_;
  Trial trial_;
  double fullest_ = 0;  // members of a partition
  BuildPlan plan_;
};

}  // namespace

Result<BuildPlan> make_plan(io::Fs& fs, const std::string& target, VectorSource& source,
                            const BuildOptions& options, std::uint64_t count, bool calibrate) {
  return Planner(fs, target, source, options, count).run(calibrate);
}

Journal::Words plan_words(const BuildPlan& plan) {
  Journal::Words words{plan.vectors,
                       plan.partitions,
                       std::bit_cast<std::uint64_t>(plan.copies),
                       plan.memory_bytes,
                       plan.memory_min_bytes,
                       plan.disk_bytes,
                       plan.index_bytes,
                       std::bit_cast<std::uint64_t>(plan.seconds)};
  for (const BuildPlan::Phase& phase : plan.phases)
    words.insert(words.end(), {std::bit_cast<std::uint64_t>(phase.seconds), phase.units});
  return words;
}

BuildPlan plan_from(const Journal::Words& words) {
  BuildPlan plan;
  plan.vectors = words[0];
  plan.partitions = static_cast<std::uint32_t>(words[1]);
  plan.copies = std::bit_cast<double>(words[2]);
  plan.memory_bytes = words[3];
  plan.memory_min_bytes = words[4];
  plan.disk_bytes = words[5];
  plan.index_bytes = words[6];
  plan.seconds = std::bit_cast<double>(words[7]);
  for (std::size_t p = 0; p < kPhases.size() && 8 + 2 * p + 1 < words.size(); ++p)
    plan.phases.push_back(
        {kPhases[p], std::bit_cast<double>(words[8 + 2 * p]), words[8 + 2 * p + 1]});
  return plan;
}

}  // namespace cairn::build
