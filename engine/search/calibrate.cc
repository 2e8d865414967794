#include "engine/search/calibrate.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/search/curve.h"
#include "engine/search/exact.h"
#include "engine/search/process_memory.h"
#include "engine/search/query_rows.h"
#include "engine/search/snapshot.h"
#include "engine/search/trace.h"

namespace cairn::search {
namespace {

/// Neighbours for which curves are measured. Means over 100 neighbours of a query vary less than
/// over 1 or 10, and cost more: fewer queries do.
constexpr std::array<std::uint32_t, 3> kNeighbors = {1, 10, 100};
constexpr std::uint32_t kManyNeighbors = 100;
constexpr std::size_t kManyNeighborsShare = 8;
/// Of the queries of a list, to compare wide searches with narrow ones, and no fewer than these for
/// few neighbours.
constexpr std::size_t kWideShare = 5;
constexpr std::size_t kWideQueries = 150;
constexpr std::array kWideLevels = {0.5, 0.7, 0.8, 0.9, 0.95, 0.99};
/// No longer list need be tried than one that holds so much, by the pilot: a shorter one that only
/// just reaches a recall reads nearly all it has, see DESIGN.md.
constexpr double kRecallEnough = 0.997;
/// What is usually the most to be asked for: all queries of a list must reach it too.
constexpr double kRecallAsked = 0.99;
/// A curve need not go beyond this, by the pilot.
constexpr double kPilotRecall = 0.993;
constexpr double kPilotRecallLow = 0.9;
constexpr float kSlackBeyondPilot = 0.02F;
/// Lists tried for one k and what is in memory.
constexpr std::size_t kListsMax = 5;
/// Shares of the progress.
constexpr double kTruthShare = 0.2;

class Calibrator {
 public:
  Calibrator(io::Fs& fs, const std::string& folder, const CalibrateOptions& options,
             const CalibrateStates& states)
      : fs_(fs), folder_(folder), options_(options), states_(states.states) {
    neighbors_.assign(kNeighbors.begin(), kNeighbors.end());
    if (!states.neighbors.empty()) neighbors_ = states.neighbors;
    if (options_.threads == 0) options_.threads = std::max(1U, std::thread::hardware_concurrency());
    if (options_.memory_bytes == 0) options_.memory_bytes = process_memory_bytes() / 2;
  }

  Result<layout::Calibration> run() {
    CAIRN_ASSIGN(const std::vector<std::uint64_t> steps, Snapshot::memory_steps(fs_, folder_));
    CAIRN_ASSIGN(auto snapshot, open(steps.front()));
    CAIRN_TRY(choose_queries(*snapshot));
    CAIRN_TRY(find_truth(*snapshot));
    layout::Calibration calibration;
    calibration.source = options_.queries.count == 0 ? layout::CalibrationSource::rows
                                                     : layout::CalibrationSource::given;
    const std::size_t fitting =
        states_.empty()
            ? static_cast<std::size_t>(std::ranges::upper_bound(steps, options_.memory_bytes) -
                                       steps.begin())
            : states_.size();
    CAIRN_TRY(make_cache(*snapshot, states_.empty() && fitting != 0 ? steps[fitting - 1] : 0));
    std::set<std::pair<std::uint32_t, std::uint32_t>> measured;
    for (std::size_t i = 0; i < fitting; ++i) {
      state_share_ = (1 - kTruthShare) / static_cast<double>(fitting);
      done_share_ = kTruthShare + static_cast<double>(i) * state_share_;
      snapshot.reset();
      CAIRN_ASSIGN(snapshot, states_.empty() ? open(steps[i]) : open(states_[i]));
      // Of several segments one alone may hold more than before, which has the same name: curves of
      // the least that has it are on the safe side.
      const IndexStats stats = snapshot->stats();
      if (!measured.emplace(stats.refine_bytes_loaded, stats.nav_edges_loaded).second) continue;
      CAIRN_TRY(measure_state(*snapshot, calibration.curves));
    }
    std::ranges::sort(calibration.curves, {},
                      [](const layout::Curve& c) { return c.record.key(); });
    return calibration;
  }

 private:
  /// At the step itself nothing is left for a cache, which would change no curve.
  Result<std::unique_ptr<Snapshot>> open(std::uint64_t limit) const {
    if (limit > options_.memory_bytes)
      return fail({.code = ErrorCode::over_limit,
                   .what = "calibrate in " + std::to_string(options_.memory_bytes) + " bytes",
                   .expected = "at least " + std::to_string(limit) + " bytes"});
    return Snapshot::open(
        fs_, folder_, {.memory_limit_bytes = limit, .read_timeout_ms = options_.read_timeout_ms},
        false);
  }

  Result<std::unique_ptr<Snapshot>> open(const SegmentPlan& state) const {
    return Snapshot::open(fs_, folder_, {.read_timeout_ms = options_.read_timeout_ms}, false,
                          state);
  }

  /// One for all states: they read the same blocks. `index_bytes`: of the largest state.
  Status make_cache(const Snapshot& snapshot, std::uint64_t index_bytes) {
    const std::uint64_t room = options_.memory_bytes - std::min(options_.memory_bytes, index_bytes);
    const std::uint64_t bytes =
        std::min({kCalibrationCacheBytes, room, snapshot.cache_bytes_max()});
    // A few blocks are not worth it.
    if (bytes < kCacheBytesMin + 16 * std::uint64_t{snapshot.block_bytes_max()}) return {};
    CAIRN_ASSIGN(cache_, io::BlockCache::create(bytes, snapshot.block_bytes_max()));
    return {};
  }

  bool tell(double share) const { return !options_.progress || options_.progress(share); }

  // ---- queries and their true neighbours

  Status choose_queries(const Snapshot& snapshot) {
    if (options_.queries.count == 0) return choose_rows(snapshot);
    const VectorBatch& given = options_.queries;
    const QueryLimits& limits = snapshot.limits();
    if (given.data == nullptr)
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "calibrate with queries",
                   .found = std::to_string(given.count) + " without data",
                   .expected = "rows"});
    if (given.dim != limits.dim || given.dtype != limits.dtype)
      return fail(
          {.code = ErrorCode::invalid_argument,
           .what = "calibrate with queries",
           .found = std::to_string(given.dim) + " x " + std::string(dtype_name(given.dtype)),
           .expected = std::to_string(limits.dim) + " x " + std::string(dtype_name(limits.dtype))});
    CAIRN_TRY(check_rows(given, limits.metric, 0, "the queries"));
    for (std::uint64_t i = 0; i < given.count; ++i)
      queries_.traced.push_back({.vector = given.row(i), .hidden = {}});
    return {};
  }

  Status choose_rows(const Snapshot& snapshot) {
    const std::uint64_t vectors = snapshot.stats().vector_count;
    const std::uint64_t wanted = std::min(std::uint64_t{options_.rows}, vectors / kVectorsARow);
    if (wanted == 0)
      return fail(
          {.code = ErrorCode::invalid_argument,
           .what = "calibrate with rows of the index",
           .found = std::to_string(options_.rows) + " of " + std::to_string(vectors) + " vectors",
           .expected = "rows to search for, and others to find"});
    CAIRN_ASSIGN(queries_, draw_rows(snapshot, folder_, wanted, options_.seed));
    return {};
  }

  Status find_truth(const Snapshot& snapshot) {
    const std::uint64_t vectors = snapshot.stats().vector_count;
    const std::uint64_t hidden = queries_.labels.empty() ? 0 : 1;
    SnapshotRows rows(snapshot, queries_.labels);
    ExactOptions exact;
    exact.metric = snapshot.limits().metric;
    exact.k =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(neighbors_.back() + hidden, vectors));
    exact.threads = options_.threads;
    exact.progress = [&](std::uint64_t done, std::uint64_t total) -> Status {
      if (tell(kTruthShare * static_cast<double>(done) / static_cast<double>(total))) return {};
      return fail(ErrorCode::cancelled, "calibration");
    };
    const VectorView first = queries_.traced.front().vector;
    CAIRN_ASSIGN(
        const ExactNeighbors found,
        exact_neighbors(rows, {first.data, queries_.traced.size(), first.dim, first.dtype}, exact));
    for (const std::uint32_t k : neighbors_) {
      if (k + hidden > found.k) continue;
      std::vector<float>& kth = kth_[k];
      for (std::size_t i = 0; i < queries_.traced.size(); ++i) {
        const auto ids = std::span(found.ids).subspan(i * found.k, k);
        // The row itself, when it is among the first k, takes a place that is not its own.
        const bool self =
            hidden != 0 && std::ranges::find(ids, rows.position(queries_.labels[i])) != ids.end();
        kth.push_back(found.distances[i * found.k + k - 1 + (self ? 1 : 0)]);
      }
    }
    return {};
  }

  // ---- curves

  Status measure_state(const Snapshot& snapshot, std::vector<layout::Curve>& curves) {
    const IndexStats stats = snapshot.stats();
    const bool navigable = stats.nav_edges_loaded != 0;
    double k_done = 0;
    for (const auto& [k, kth] : kth_) {
      const std::vector<std::uint32_t> sizes = list_sizes(k, stats);
      for (std::size_t list = 0; list < sizes.size(); ++list) {
        const TraceOptions options{.k = k,
                                   .list_size = sizes[list],
                                   .width = 1,
                                   .slack = std::numeric_limits<float>::max(),
                                   .slack_max = std::numeric_limits<float>::max(),
                                   .threads = options_.threads,
                                   .cache = cache_.get()};
        std::vector<Trace> traces(queries_for(k, list, navigable));
        CAIRN_ASSIGN(const Alone alone, measure_alone(snapshot, kth, options, traces));
        curves.push_back(alone.curve);
        CAIRN_ASSIGN(curves.emplace_back(),
                     measure_wide(snapshot, kth, options, alone.curve, traces));
        const bool reached = point_of(alone.curve.points, kRecallAsked) != nullptr;
        if (reached && alone.recall_whole >= kRecallEnough) break;
      }
      k_done += 1;
      if (!tell(done_share_ + state_share_ * k_done / static_cast<double>(kth_.size())))
        return fail(ErrorCode::cancelled, "calibration");
    }
    return {};
  }

  /// Longer lists are for a high recall, of which a mean varies less, and cost more: half of the
  /// queries for each. Not for the third: the second, with edges in RAM, is no long one.
  std::size_t queries_for(std::uint32_t k, std::size_t list, bool navigable) const {
    const std::size_t halvings = navigable && list > 1 ? list - 1 : list;
    const std::size_t share = (k >= kManyNeighbors ? kManyNeighborsShare : 1) << halvings;
    return std::max<std::size_t>(1, queries_.traced.size() / share);
  }

  /// Longer ones are tried while recall is wanting. With edges in RAM a long list costs time and
  /// short ones are tried first; where blocks lead the way the list only bounds what is read.
  static std::vector<std::uint32_t> list_sizes(std::uint32_t k, const IndexStats& stats) {
    std::vector<std::uint32_t> sizes;
    if (stats.nav_edges_loaded != 0) sizes = {std::max(k + 2 * k / 5, 8U), std::max(3 * k, 16U)};
    for (std::uint32_t size = std::max(4 * k, 64U); sizes.size() < kListsMax; size *= 3) {
      if (size >= stats.vector_count / 4) break;
      sizes.push_back(size);
    }
    if (sizes.empty()) sizes.push_back(2 * k);
    return sizes;
  }

  static layout::Curve curve_of(const Snapshot& snapshot, const TraceOptions& options,
                                std::size_t queries) {
    const IndexStats stats = snapshot.stats();
    layout::Curve curve;
    curve.record = {.refine_bytes = stats.refine_bytes_loaded,
                    .nav_edges = stats.nav_edges_loaded,
                    .k = options.k,
                    .width = options.width,
                    .list_size = options.list_size,
                    .queries = static_cast<std::uint32_t>(queries),
                    .points = 0,
                    .reserved = 0};
    return curve;
  }

  Status trace(const Snapshot& snapshot, std::span<const float> kth, const TraceOptions& options,
               std::size_t begin, std::size_t end, std::vector<Trace>& traces) const {
    const std::size_t count = end - begin;
    return trace_searches(
        snapshot, std::span(queries_.traced).subspan(begin, count), kth.subspan(begin, count),
        options, std::span(traces).subspan(begin, count), [&] { return tell(done_share_); });
  }

  /// How much slack the others need, by what a few found.
  static float enough_slack(std::span<const layout::CurvePoint> pilot) {
    const layout::CurvePoint* low = point_of(pilot, kPilotRecallLow);
    const layout::CurvePoint* high = point_of(pilot, kPilotRecall);
    if (high == nullptr) return std::numeric_limits<float>::max();
    return high->slack + (high->slack - low->slack) / 2 + kSlackBeyondPilot;
  }
  /// The first point of such a recall, or null.
  static const layout::CurvePoint* point_of(std::span<const layout::CurvePoint> points,
                                            double recall) {
    const auto at = std::ranges::find_if(
        points, [&](const layout::CurvePoint& point) { return double{point.recall} >= recall; });
    return at == points.end() ? nullptr : &*at;
  }

  struct Alone {
    layout::Curve curve;
    double recall_whole;  // of the list read to its end, by the pilot
  };
  Result<Alone> measure_alone(const Snapshot& snapshot, std::span<const float> kth,
                              TraceOptions options, std::vector<Trace>& traces) {
    const std::size_t count = traces.size();
    const std::size_t pilot = std::min<std::size_t>(count, kPilotQueries);
    CAIRN_TRY(trace(snapshot, kth, options, 0, pilot, traces));
    const auto few = make_curve(std::span(traces).first(pilot), options.k, options.slack_max);
    options.slack_max = enough_slack(few);
    CAIRN_TRY(trace(snapshot, kth, options, pilot, count, traces));
    layout::Curve curve = curve_of(snapshot, options, count);
    curve.points = make_curve(traces, options.k, options.slack_max);
    return Alone{std::move(curve), few.back().recall};
  }

  /// A lone search at its full width. The difference to one block at a time is measured with a part
  /// of the queries, each compared with itself: it varies little.
  Result<layout::Curve> measure_wide(const Snapshot& snapshot, std::span<const float> kth,
                                     TraceOptions options, const layout::Curve& alone,
                                     const std::vector<Trace>& traces) const {
    options.width = snapshot.limits().beam_width;
    const std::size_t least = options.k >= kManyNeighbors ? 1 : kWideQueries;
    const std::size_t count = std::min(traces.size(), std::max(least, traces.size() / kWideShare));
    layout::Curve curve = curve_of(snapshot, options, count);
    for (const double level : kWideLevels) {
      const layout::CurvePoint* at = point_of(alone.points, level);
      const layout::CurvePoint& mean = at == nullptr ? alone.points.back() : *at;
      if (!curve.points.empty() && curve.points.back().slack >= mean.slack) continue;
      options.slack = mean.slack;
      std::vector<Trace> wide(count);
      CAIRN_TRY(trace(snapshot, kth, options, 0, count, wide));
      const layout::CurvePoint found = mean_at(wide, options.k, std::numeric_limits<float>::max());
      const layout::CurvePoint paired =
          mean_at(std::span(traces).first(count), options.k, mean.slack);
      const layout::CurvePoint before =
          curve.points.empty() ? layout::CurvePoint{} : curve.points.back();
      curve.points.push_back(
          {mean.slack, std::clamp(mean.recall + found.recall - paired.recall, before.recall, 1.0F),
           std::max(before.blocks, mean.blocks + found.blocks - paired.blocks),
           std::max(0.0F, mean.codes + found.codes - paired.codes)});
    }
    return curve;
  }

  io::Fs& fs_;
  std::string folder_;
  CalibrateOptions options_;
  std::vector<SegmentPlan> states_;
  std::vector<std::uint32_t> neighbors_;
  std::unique_ptr<io::BlockCache> cache_;
  QueryRows queries_;
  std::map<std::uint32_t, std::vector<float>> kth_;  // by k
  double done_share_ = 0, state_share_ = 0;
};

}  // namespace

Result<layout::Calibration> measure_calibration(io::Fs& fs, const std::string& folder,
                                                const CalibrateOptions& options,
                                                const CalibrateStates& states) {
  return Calibrator(fs, folder, options, states).run();
}

}  // namespace cairn::search
