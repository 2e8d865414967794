#include "tools/doctor/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/figures.h"
#include "tools/units.h"

namespace cairn::tools {
namespace {

/// The promise of `--recall`, and deviations of a mean that are chance.
constexpr double kPromiseBelow = 0.005, kPromiseAbove = 0.015, kErrors = 3;
/// A smaller loss is worth a warning.
constexpr double kLossSerious = 0.02;
/// Queries that drift: so many beyond 99 % of the rows, where 1 in 100 is usual.
constexpr double kBeyond = 0.1, kBeyondUsual = 0.01;
/// A reason that takes less of a loss is no finding of its own.
constexpr double kShareOfLoss = 0.1;
/// Codes that misrank so many true neighbours say nothing of the vectors.
constexpr double kCodesOfOthers = 0.3;
constexpr double kSkew = 2.5;           // the largest partition over the mean: builds cut at 1.5
constexpr double kSpread = 3;           // neighbours in a partition over its share of the vectors
constexpr double kUncalibrated = 0.01;  // weight of what keeps recall from being asked for
constexpr double kSparse = 0.5;         // of the places in blocks

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

class Judge {
 public:
  Judge(const Examination& examination, const Asked& asked) : seen_(examination), asked_(asked) {}

  std::vector<Finding> run() {
    const bool drifts = has_drift();
    const double lost = loss(main_set());
    const double lost_by_rows = loss(seen_.rows);
    // The rows are the control: what they find and the queries do not lies in the queries.
    if (drifts) note_drift(std::max(0.0, lost - lost_by_rows));
    note_reasons(drifts ? seen_.rows : main_set(), drifts ? lost_by_rows : lost);
    note_reach();
    note_calibration();
    note_shape();
    std::ranges::stable_sort(findings_, [](const Finding& a, const Finding& b) {
      return a.severity != b.severity ? a.severity > b.severity : a.weight > b.weight;
    });
    return std::move(findings_);
  }

 private:
  const SearchedSet& main_set() const { return seen_.queries ? *seen_.queries : seen_.rows; }

  double loss(const SearchedSet& set) const {
    if (set.queries == 0 || set.recall >= least_recall(set, asked_)) return 0;
    return asked_.recall - set.recall;
  }

  static Severity severity_of(double lost) {
    return lost >= kLossSerious ? Severity::serious : Severity::warning;
  }

  bool has_drift() const {
    if (!seen_.drift) return false;
    const double chance = std::sqrt(
        kBeyondUsual / static_cast<double>(std::max<std::uint64_t>(1, seen_.queries->queries)));
    return seen_.drift->beyond_rows >= kBeyond + kErrors * chance;
  }

  std::string calibrate_with_queries() const {
    return fmt::format("cairn calibrate --index {} --queries {}", asked_.index,
                       asked_.queries.empty() ? "FILE" : asked_.queries);
  }

  void note_drift(double lost) {
    findings_.push_back(
        {.name = "drift",
         .severity = severity_of(lost),
         .weight = lost > 0 ? lost : seen_.drift->beyond_rows,
         .title = "the queries drift from the partitions",
         .text = fmt::format("{} of them lie farther from the nearest entry point than 99 % of the "
                             "vectors, the median {:.2f} times as far; recall {:.3f} for {:.1f} "
                             "reads where the rows of the index have {:.3f} for {:.1f}",
                             percent(seen_.drift->beyond_rows), seen_.drift->median_ratio,
                             seen_.queries->recall, seen_.queries->reads, seen_.rows.recall,
                             seen_.rows.reads),
         .next = calibrate_with_queries() +
                 ", and ask by --recall; add vectors like the queries when you build again"});
  }

  void note_reasons(const SearchedSet& set, double lost) {
    if (lost <= 0) return;
    for (std::size_t r = 0; r < kMissReasons; ++r) {
      const auto reason = static_cast<MissReason>(r);
      const double part = share(set.missed_for[r], set.missed);
      if (part < kShareOfLoss || reason == MissReason::not_reachable) continue;
      findings_.push_back(
          {.name = std::string(miss_reason_name(reason)),
           .severity = severity_of(lost),
           .weight = lost * part,
           .title = title_of(reason, set),
           .text =
               fmt::format("{} of the neighbours that were missed; of the {:.3f} of recall that "
                           "are wanting at {:.3f}, {:.3f}",
                           percent(part), lost, set.recall, lost * part),
           .next = next_of(reason, set)});
    }
  }

  std::string title_of(MissReason reason, const SearchedSet& set) const {
    const auto misranked = set.missed_for[static_cast<std::size_t>(MissReason::misranked)];
    switch (reason) {
      case MissReason::not_reachable:
        return "vectors out of reach";
      case MissReason::misranked:
        return share(misranked, set.queries * set.k) >= kCodesOfOthers
                   ? "the codes are not those of these vectors, or far too coarse"
                   : "the codes in RAM misrank true neighbours";
      case MissReason::list_short:
        return fmt::format("the list of {} is too short", seen_.list_size);
      case MissReason::not_met:
        return "the walk does not lead to vectors that the codes would find";
      case MissReason::not_read:
        return "searches end too early";
    }
    return "";
  }

  std::string next_of(MissReason reason, const SearchedSet& set) const {
    const IndexStats& stats = seen_.stats;
    const auto misranked = set.missed_for[static_cast<std::size_t>(MissReason::misranked)];
    switch (reason) {
      case MissReason::not_reachable:
        return "";
      case MissReason::misranked:
        if (share(misranked, set.queries * set.k) >= kCodesOfOthers)
          return fmt::format(
              "cairn verify {}; put back the codes of this build, or build again "
              "with more --codes and --refine bytes",
              asked_.index);
        if (stats.refine_bytes_loaded < stats.refine_bytes)
          return fmt::format("more --memory: {} of {} bytes of refinement a vector are in RAM",
                             stats.refine_bytes_loaded, stats.refine_bytes);
        return "build again with more --codes or --refine bytes, or read more: a longer list";
      case MissReason::list_short:
      case MissReason::not_read:
        if (asked_.by_recall) return calibrate_with_queries();
        if (stats.calibrated) return fmt::format("search with --recall {:g}", asked_.recall);
        return reason == MissReason::not_read
                   ? "raise --slack or --reads-max"
                   : fmt::format("search with --list-size {}, or calibrate and ask by --recall",
                                 seen_.usual_list);
      case MissReason::not_met:
        return "build again with a greater --degree; until then a longer list";
    }
    return "";
  }

  void note_reach() {
    const std::uint64_t vectors = seen_.stats.vector_count;
    if (seen_.unreachable != 0) {
      const auto missed =
          main_set().missed_for[static_cast<std::size_t>(MissReason::not_reachable)];
      const double part = share(missed, main_set().missed);
      findings_.push_back(
          {.name = "not_reachable",
           .severity = Severity::serious,
           .weight = std::max(share(seen_.unreachable, vectors), loss(main_set()) * part),
           .title = "vectors are out of reach",
           .text = fmt::format("no edges lead from the entry points to {} of {} ({}), {} of the "
                               "neighbours that were missed among them",
                               show_count(seen_.unreachable), show_count(vectors),
                               percent(share(seen_.unreachable, vectors)), percent(part)),
           .next = fmt::format("cairn verify {} names the blocks; build the index again",
                               asked_.index)});
    }
    const auto& histogram = seen_.structure.degree_histogram;
    if (vectors > 1 && !histogram.empty() && histogram[0] != 0)
      findings_.push_back({.name = "dead_ends",
                           .severity = Severity::warning,
                           .weight = share(histogram[0], vectors),
                           .title = "vectors without edges",
                           .text = "walks end at " + show_count(histogram[0]),
                           .next = "build the index again"});
  }

  void warn(Finding finding, double weight) {
    finding.severity = Severity::warning;
    finding.weight = weight;
    findings_.push_back(std::move(finding));
  }
  static Finding finding(std::string name, std::string title, std::string text,
                         std::string next = {}) {
    return {.name = std::move(name),
            .title = std::move(title),
            .text = std::move(text),
            .next = std::move(next)};
  }

  void note_calibration() {
    using State = CalibrationHealth::State;
    const CalibrationHealth& health = seen_.calibration;
    const std::string again = fmt::format("cairn calibrate --index {}", asked_.index);
    if (health.state == State::none)
      warn(finding("not_calibrated", "not calibrated", "no recall can be asked for by name", again),
           kUncalibrated);
    if (health.state == State::unreadable)
      warn(finding("calibration_unreadable", "the calibration cannot be read", health.problem,
                   again),
           kUncalibrated);
    if (health.state == State::too_much)
      warn(finding("calibration_elsewhere", "not calibrated for so little memory",
                   "no recall can be asked for by name", again),
           kUncalibrated);
    if (!seen_.effort) return;
    if (!seen_.effort->reached)
      warn(finding("calibration_short", "no effort that was measured reaches the recall",
                   fmt::format("{:.3f} at most where {:g} is asked for", seen_.effort->recall,
                               asked_.recall),
                   "more --memory, or build again with more --codes or --refine bytes"),
           kUncalibrated);
    note_stale(again);
    note_excess();
    if (health.state == State::less)
      findings_.push_back(
          finding("calibration_less", "calibrated with less in RAM than there is",
                  fmt::format("with {} bytes of refinement and {} edges: searches read more than "
                              "they must",
                              health.refine_bytes, health.nav_edges),
                  again + " --memory SIZE"));
  }

  /// The rows are found as they were at calibration, or something has changed since.
  void note_stale(const std::string& again) {
    if (!seen_.calibration.from_rows || seen_.rows.queries == 0) return;
    const SearchedSet& rows = seen_.rows;
    const double off = rows.recall - seen_.effort->recall;
    const double chance = kErrors * rows.recall_error;
    const bool less = off < -kPromiseBelow - chance;
    const bool more = off > kPromiseAbove + chance && !seen_.effort->least &&
                      seen_.calibration.state == CalibrationHealth::State::fits;
    if (less || more)
      warn(finding("calibration_stale", "the calibration does not hold",
                   fmt::format("rows are found with recall {:.3f}, {:.3f} when it was measured",
                               rows.recall, seen_.effort->recall),
                   again),
           std::abs(off));
  }

  /// More than was asked is paid for with reads.
  void note_excess() {
    if (!seen_.queries || has_drift() || seen_.effort->least ||
        seen_.calibration.state != CalibrationHealth::State::fits)
      return;
    const SearchedSet& set = *seen_.queries;
    if (set.recall < seen_.effort->recall + kPromiseAbove + kErrors * set.recall_error) return;
    findings_.push_back(
        finding("more_than_asked", "searches find more than is asked for",
                fmt::format("recall {:.3f}: the queries are easier than what was calibrated with, "
                            "and cost reads that could be saved",
                            set.recall),
                calibrate_with_queries()));
  }

  void note_shape() {
    std::uint64_t most = 0, vectors = 0, neighbors = 0;
    double busiest = 0;
    for (const PartitionLoad& load : seen_.partitions) {
      most = std::max(most, load.vectors);
      vectors += load.vectors;
      neighbors += load.neighbors;
    }
    for (const PartitionLoad& load : seen_.partitions)
      if (load.vectors != 0)
        busiest =
            std::max(busiest, share(load.neighbors, neighbors) / share(load.vectors, vectors));
    const double mean = share(vectors, seen_.partitions.size());
    if (mean > 0 && static_cast<double>(most) > kSkew * mean)
      findings_.push_back(finding(
          "skew", "partitions differ in size",
          fmt::format("the largest has {:.1f} times the mean", static_cast<double>(most) / mean)));
    if (busiest > kSpread)
      findings_.push_back(finding(
          "busy_partition", "one partition is asked for most",
          fmt::format("it has {:.1f} times the neighbours that go with its size", busiest)));
    const double filled = share(seen_.structure.vectors, seen_.structure.places);
    if (filled < kSparse)
      findings_.push_back(finding("sparse_blocks", "blocks are sparsely filled",
                                  percent(filled) + " of their places hold a vector"));
  }
  const Examination& seen_;
  const Asked& asked_;
  std::vector<Finding> findings_;
};

}  // namespace

double least_recall(const SearchedSet& set, const Asked& asked) {
  return asked.recall - kPromiseBelow - kErrors * set.recall_error;
}

std::vector<Finding> findings_of(const Examination& examination, const Asked& asked) {
  return Judge(examination, asked).run();
}

std::string_view reason_words(MissReason reason) {
  switch (reason) {
    case MissReason::not_reachable:
      return "not reachable by any edges";
    case MissReason::misranked:
      return "misranked by the codes";
    case MissReason::list_short:
      return "list too short";
    case MissReason::not_met:
      return "not met by the walk";
    case MissReason::not_read:
      return "not read: the search ended";
  }
  return "";
}

}  // namespace cairn::tools
