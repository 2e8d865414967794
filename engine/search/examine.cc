#include "engine/search/examine.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <utility>

#include "engine/search/calibration_file.h"
#include "engine/search/drift.h"
#include "engine/search/examine_parts.h"
#include "engine/search/inspect.h"

namespace cairn::search {
namespace {

constexpr std::uint64_t kUsualListMin = 64, kUsualListNeighbors = 4, kUsualListTimes = 4;
constexpr double kMostRows = 0.99;  // drift: of their distances
constexpr std::size_t kWorstMax = 3;

/// The least of the sorted values that at least such a share does not exceed.
double quantile(std::span<const float> sorted, double share) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return double{sorted[static_cast<std::size_t>(std::max(1.0, rank)) - 1]};
}

tl::unexpected<Error> bad_options(std::string what, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "examine: " + std::move(what),
               .found = std::move(found),
               .expected = std::move(expected)});
}

class Examining {
 public:
  Examining(const Snapshot& snapshot, bool direct, const ExamineOptions& options)
      : snapshot_(snapshot), direct_(direct), options_(options) {
    threads_ =
        options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
    tell_ = [this](std::string_view phase, std::uint64_t done, std::uint64_t total) -> Status {
      if (!options_.progress || options_.progress(phase, done, total)) return {};
      return fail(ErrorCode::cancelled, "examine");
    };
  }

  Result<Examination> run() {
    report_.stats = snapshot_.stats();
    report_.stats.calibrated = !snapshot_.efforts().empty();
    CAIRN_TRY(choose_queries());
    CAIRN_TRY(plan_searches());
    CAIRN_TRY(look_at_calibration());
    CAIRN_TRY(look_at_blocks());
    CAIRN_TRY(find_truth());
    if (options_.queries.count != 0) report_.queries.emplace();
    CAIRN_TRY(measure_drift());
    CAIRN_TRY(search(rows_, report_.rows));
    if (report_.queries) CAIRN_TRY(search(queries_, *report_.queries));
    spread_neighbors();
    return std::move(report_);
  }

 private:
  const ExaminedSet& main_set() const { return options_.queries.count != 0 ? queries_ : rows_; }

  Status choose_queries() {
    const VectorBatch& given = options_.queries;
    const QueryLimits& limits = snapshot_.limits();
    const std::uint64_t vectors = report_.stats.vector_count;
    const std::uint64_t rows = std::min(std::uint64_t{options_.rows}, vectors / kVectorsARow);
    if (given.count == 0 && rows == 0)
      return bad_options("queries", "none, and " + std::to_string(vectors) + " vectors",
                         "queries, or " + std::to_string(kVectorsARow) + " vectors");
    if (options_.k == 0) return bad_options("k", "0", "1 or more");
    if (given.count != 0 &&
        (given.data == nullptr || given.dim != limits.dim || given.dtype != limits.dtype))
      return bad_options(
          "queries", std::to_string(given.dim) + " x " + std::string(dtype_name(given.dtype)),
          std::to_string(limits.dim) + " x " + std::string(dtype_name(limits.dtype)));
    CAIRN_TRY(check_rows(given, limits.metric, 0, "the queries"));
    queries_.k = static_cast<std::uint32_t>(std::min(std::uint64_t{options_.k}, vectors));
    rows_.k = static_cast<std::uint32_t>(std::min(std::uint64_t{options_.k}, vectors - 1));
    for (std::uint64_t i = 0; i < given.count; ++i)
      queries_.queries.traced.push_back({.vector = given.row(i), .hidden = {}});
    const std::uint64_t wanted = given.count * queries_.k;
    if (!options_.truth.empty() &&
        (options_.truth.size() != wanted || options_.truth_distances.size() != wanted))
      return bad_options("true neighbours", std::to_string(options_.truth.size()),
                         std::to_string(wanted));
    if (rows == 0) return {};
    CAIRN_ASSIGN(rows_.queries, draw_rows(snapshot_, "the index", rows, options_.seed));
    return {};
  }

  Status plan_searches() {
    SearchRequest& request = plan_.request;
    request.k = options_.k;
    request.list_size = options_.list_size;
    request.slack = options_.slack;
    request.recall = options_.recall;
    request.reads_max = options_.reads_max;
    SearchRequest tried = request;
    tried.query = main_set().queries.traced.front().vector;
    CAIRN_TRY(snapshot_.check(tried));
    Query query(snapshot_.limits());
    query.start(tried, snapshot_.segments());
    report_.list_size = query.list_size();
    report_.edges = query.walks_edges();
    std::uint64_t usual = std::max(
        {kUsualListMin, kUsualListNeighbors * options_.k, kUsualListTimes * report_.list_size});
    if (report_.stats.calibrated) {
      CAIRN_ASSIGN(const SearchEffort effort,
                   snapshot_.effort(options_.k, options_.recall.value_or(kUsualRecall)));
      usual = std::max(usual, std::uint64_t{effort.list_size});
      if (options_.recall) report_.effort = effort;
    }
    const bool bounding = options_.slack || options_.recall;
    if (options_.slack) report_.slack = options_.slack;
    if (report_.effort) report_.slack = report_.effort->slack;
    plan_.width = bounding ? 1 : snapshot_.limits().beam_width;
    plan_.usual_list = std::min(usual, report_.stats.vector_count);
    report_.usual_list = static_cast<std::uint32_t>(plan_.usual_list);
    return {};
  }

  Status look_at_calibration() {
    using State = CalibrationHealth::State;
    CalibrationHealth& health = report_.calibration;
    auto read = read_calibration(snapshot_.folder(), direct_);
    if (!read) {
      if (read.error().code == ErrorCode::out_of_memory) return fail(std::move(read).error());
      health.state = State::unreadable;
      health.problem = read.error().to_string();
      return {};
    }
    if (!*read) return {};
    health.from_rows = (*read)->source == layout::CalibrationSource::rows;
    const IndexStats& stats = report_.stats;
    health.state = stats.calibrated ? State::less : State::too_much;
    for (const layout::Curve& curve : (*read)->curves) {
      const layout::CurveRecord& record = curve.record;
      if (record.refine_bytes > stats.refine_bytes_loaded ||
          record.nav_edges > stats.nav_edges_loaded)
        continue;
      health.refine_bytes = record.refine_bytes;  // they ascend
      health.nav_edges = record.nav_edges;
      if (record.refine_bytes == stats.refine_bytes_loaded &&
          record.nav_edges == stats.nav_edges_loaded)
        health.state = State::fits;
    }
    return {};
  }

  Status look_at_blocks() {
    const layout::Manifest& manifest = snapshot_.folder().manifest();
    for (const layout::SegmentRecord& segment : manifest.segments)
      occupied_.emplace_back(segment.slot_count);
    Status told;
    CAIRN_ASSIGN(report_.structure,
                 inspect_folder(
                     snapshot_.folder(), direct_,
                     [&](std::uint64_t done, std::uint64_t total) {
                       if (told) told = tell_("blocks", done, total);
                     },
                     [&](std::size_t segment, const ScannedBlock& block) {
                       for (std::uint64_t left = block.view.occupied_mask(); left != 0;
                            left &= left - 1)
                         occupied_[segment].set(block.first_slot +
                                                static_cast<std::uint32_t>(std::countr_zero(left)));
                     }));
    CAIRN_TRY(std::move(told));
    for (std::size_t i = 0; i < manifest.segments.size(); ++i) {
      CAIRN_ASSIGN(auto reached, reachable_slots(snapshot_.folder(), manifest.segments[i],
                                                 *snapshot_.segments()[i].entries, direct_));
      report_.unreachable += missing_slots(occupied_[i], reached).count;
      reached_.push_back(std::move(reached));
      CAIRN_TRY(tell_("reachable vectors", i + 1, manifest.segments.size()));
    }
    return {};
  }

  Status find_truth() {
    std::vector<ExaminedSet*> computed{&rows_};
    if (options_.truth.empty())
      computed.push_back(&queries_);
    else
      CAIRN_TRY(look_up_truth(snapshot_, options_, tell_, queries_));
    return compute_truth(snapshot_, occupied_, threads_, tell_, computed);
  }

  Status measure_drift() {
    CAIRN_ASSIGN(const EntryHeads heads, EntryHeads::read(snapshot_));
    CAIRN_ASSIGN(auto rows, heads.distances(rows_.queries.traced, threads_));
    CAIRN_ASSIGN(auto queries, heads.distances(queries_.queries.traced, threads_));
    std::ranges::sort(rows);
    std::ranges::sort(queries);
    report_.rows.entry_distance = quantile(rows, 0.5);
    if (!report_.queries) return {};
    report_.queries->entry_distance = quantile(queries, 0.5);
    if (rows.empty() || queries.empty()) return {};
    const auto limit = static_cast<float>(quantile(rows, kMostRows));
    const auto beyond = queries.end() - std::ranges::upper_bound(queries, limit);
    const double median = quantile(rows, 0.5);
    report_.drift =
        Drift{.median_ratio = median > 0 ? quantile(queries, 0.5) / median : 1,
              .beyond_rows = static_cast<double>(beyond) / static_cast<double>(queries.size())};
    return {};
  }

  Status search(const ExaminedSet& set, SearchedSet& figures) {
    const std::size_t count = set.queries.traced.size();
    figures.queries = count;
    figures.k = set.k;
    if (count == 0 || set.k == 0) return {};
    std::vector<Outcome> outcomes(count);
    CAIRN_TRY(
        examine_searches(snapshot_, occupied_, reached_, plan_, set, threads_, tell_, outcomes));
    double squares = 0;
    for (const Outcome& outcome : outcomes) {
      const double recall = static_cast<double>(outcome.found) / set.k;
      figures.recall += recall;
      squares += recall * recall;
      figures.missed += set.k - outcome.found;
      figures.reads += outcome.reads;
      figures.codes += outcome.codes;
      for (std::size_t r = 0; r < kMissReasons; ++r) figures.missed_for[r] += outcome.missed_for[r];
    }
    const auto n = static_cast<double>(count);
    figures.recall /= n;
    figures.reads /= n;
    figures.codes /= n;
    figures.recall_error =
        std::sqrt(std::max(0.0, squares / n - figures.recall * figures.recall) / n);
    std::vector<float> kth = set.kth;
    std::ranges::sort(kth);
    figures.kth_distance = quantile(kth, 0.5);
    if (&set == &main_set()) note_worst(set, outcomes);
    return {};
  }

  void note_worst(const ExaminedSet& set, std::span<const Outcome> outcomes) {
    std::vector<std::size_t> order(outcomes.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return outcomes[i].found; });
    for (const std::size_t i : std::span(order).first(std::min(kWorstMax, order.size()))) {
      if (outcomes[i].found == set.k) return;
      PoorQuery poor{
          .query = i, .missed = set.k - outcomes[i].found, .missed_for = outcomes[i].missed_for};
      if (!set.queries.labels.empty()) poor.label = set.queries.labels[i];
      report_.worst.push_back(poor);
    }
  }

  /// Vectors and true neighbours of each extent.
  void spread_neighbors() {
    const layout::Manifest& manifest = snapshot_.folder().manifest();
    std::vector<Ref> truth = main_set().truth;
    const auto key = [](const Ref& ref) { return std::pair(ref.segment, ref.slot); };
    std::ranges::sort(truth, {}, key);
    for (std::uint32_t s = 0; s < manifest.segments.size(); ++s)
      for (const layout::ExtentRecord& extent : manifest.extents_of(manifest.segments[s].segment)) {
        PartitionLoad& load = report_.partitions.emplace_back();
        const std::uint64_t end = extent.first_slot + extent.slot_count;
        for (std::uint64_t slot = extent.first_slot; slot < end; ++slot)
          load.vectors += occupied_[s].test(slot);
        const auto first = std::pair(s, static_cast<std::uint32_t>(extent.first_slot));
        const auto last = std::pair(s, static_cast<std::uint32_t>(end));
        load.neighbors =
            static_cast<std::uint64_t>(std::ranges::lower_bound(truth, last, {}, key) -
                                       std::ranges::lower_bound(truth, first, {}, key));
      }
  }

  const Snapshot& snapshot_;
  bool direct_;
  const ExamineOptions& options_;
  std::uint32_t threads_;
  Tell tell_;
  SearchPlan plan_;
  ExaminedSet rows_, queries_;
  AllSlots occupied_, reached_;
  Examination report_;
};

}  // namespace

Result<Examination> examine_index(const Snapshot& snapshot, bool direct,
                                  const ExamineOptions& options) {
  return Examining(snapshot, direct, options).run();
}

}  // namespace cairn::search

namespace cairn {

std::string_view miss_reason_name(MissReason reason) {
  switch (reason) {
    case MissReason::not_reachable:
      return "not_reachable";
    case MissReason::misranked:
      return "misranked";
    case MissReason::list_short:
      return "list_short";
    case MissReason::not_met:
      return "not_met";
    case MissReason::not_read:
      return "not_read";
  }
  return "unknown";
}

}  // namespace cairn
