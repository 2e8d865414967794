#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "engine/math/distance.h"
#include "engine/search/examine_parts.h"

namespace cairn::search {
namespace {

/// Where the vectors at some positions of a pass over all of them stand. O(slots + positions log
/// positions).
class Positions {
 public:
  Positions(const AllSlots& occupied, std::span<const std::uint32_t> positions)
      : positions_(positions.begin(), positions.end()) {
    std::ranges::sort(positions_);
    positions_.erase(std::unique(positions_.begin(), positions_.end()), positions_.end());
    std::uint64_t position = 0;
    for (std::uint32_t segment = 0; segment < occupied.size(); ++segment)
      for (std::size_t w = 0; w < occupied[segment].words(); ++w)
        for (std::uint64_t left = occupied[segment].word(w); left != 0; left &= left - 1)
          note(position++,
               {segment, static_cast<std::uint32_t>(
                             w * 64 + static_cast<std::size_t>(std::countr_zero(left)))});
  }

  /// Nothing for a position beyond the vectors that were seen.
  std::optional<Ref> at(std::uint32_t position) const {
    const auto i = std::ranges::lower_bound(positions_, position) - positions_.begin();
    if (static_cast<std::size_t>(i) >= refs_.size()) return std::nullopt;
    return refs_[static_cast<std::size_t>(i)];
  }

 private:
  void note(std::uint64_t position, Ref ref) {
    if (refs_.size() < positions_.size() && positions_[refs_.size()] == position)
      refs_.push_back(ref);
  }

  std::vector<std::uint32_t> positions_;  // ascending, each once
  std::vector<Ref> refs_;
};

std::vector<std::byte> rows_of(std::span<ExaminedSet* const> sets, std::size_t row_bytes) {
  std::vector<std::byte> rows;
  for (const ExaminedSet* set : sets)
    for (const TracedQuery& query : set->queries.traced) {
      rows.resize(rows.size() + row_bytes);
      std::memcpy(rows.data() + rows.size() - row_bytes, query.vector.data, row_bytes);
    }
  return rows;
}

/// The first k of `ids` that are not the query itself.
Status take_neighbors(ExaminedSet& set, const TracedQuery& query, const Positions& positions,
                      std::span<const std::uint32_t> ids, std::span<const float> distances) {
  std::uint32_t taken = 0;
  for (std::size_t i = 0; i < ids.size() && taken < set.k; ++i) {
    const std::optional<Ref> ref = positions.at(ids[i]);
    if (!ref)
      return fail({.code = ErrorCode::corrupt,
                   .what = "vectors of the index",
                   .found = "one more than in a pass before"});
    if (query.hidden && *query.hidden == *ref) continue;
    set.truth.push_back(*ref);
    if (++taken == set.k) set.kth.push_back(distances[i]);
  }
  return {};
}

tl::unexpected<Error> bad_truth(std::uint64_t query, Label label, std::string found,
                                std::string expected) {
  return fail(
      {.code = ErrorCode::invalid_argument,
       .what = "the true neighbour " + std::to_string(label) + " of query " + std::to_string(query),
       .found = std::move(found),
       .expected = std::move(expected)});
}

Result<Ref> find_label(const Snapshot& snapshot, Label label) {
  for (std::uint32_t segment = 0; segment < snapshot.segments().size(); ++segment) {
    CAIRN_ASSIGN(const auto slot, snapshot.resident(segment).labels->find(label));
    if (slot) return Ref{segment, *slot};
  }
  return fail({.code = ErrorCode::not_found,
               .what = "label " + std::to_string(label) + " of the ground truth, in the index"});
}

}  // namespace

Status compute_truth(const Snapshot& snapshot, const AllSlots& occupied, std::uint32_t threads,
                     const Tell& tell, std::span<ExaminedSet* const> sets) {
  const QueryLimits& limits = snapshot.limits();
  const std::size_t row_bytes = std::size_t{limits.dim} * dtype_bytes(limits.dtype);
  const std::vector<std::byte> rows = rows_of(sets, row_bytes);
  if (rows.empty()) return {};
  SnapshotRows base(snapshot);
  ExactOptions options;
  options.metric = limits.metric;
  for (const ExaminedSet* set : sets) options.k = std::max(options.k, set->k);
  options.k = static_cast<std::uint32_t>(
      std::min(std::uint64_t{options.k} + 1, snapshot.stats().vector_count));
  options.threads = threads;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    return tell("exact neighbours", done, total);
  };
  CAIRN_ASSIGN(
      const ExactNeighbors found,
      exact_neighbors(base, {rows.data(), rows.size() / row_bytes, limits.dim, limits.dtype},
                      options));
  const Positions positions(occupied, found.ids);
  std::size_t at = 0;
  for (ExaminedSet* set : sets)
    for (const TracedQuery& query : set->queries.traced) {
      CAIRN_TRY(take_neighbors(*set, query, positions, std::span(found.ids).subspan(at, found.k),
                               std::span(found.distances).subspan(at, found.k)));
      at += found.k;
    }
  return {};
}

Status look_up_truth(const Snapshot& snapshot, const ExamineOptions& options, const Tell& tell,
                     ExaminedSet& set) {
  constexpr double kNear = 1e-3;  // whoever computed them rounded in his own way
  const QueryLimits& limits = snapshot.limits();
  const std::size_t queries = set.queries.traced.size();
  for (std::size_t q = 0; q < queries; ++q) {
    const math::Scorer scorer(limits.metric, set.queries.traced[q].vector);
    float farthest = std::numeric_limits<float>::lowest();
    for (std::size_t i = q * set.k; i < (q + 1) * set.k; ++i) {
      const Label label = options.truth[i];
      CAIRN_ASSIGN(const Ref ref, find_label(snapshot, label));
      CAIRN_ASSIGN(const OwnBlock block, snapshot.read_block(ref.segment, ref.slot));
      const std::uint32_t place = ref.slot % snapshot.segments()[ref.segment].shape.slots;
      const float distance = scorer(block.view.vector(place), block.view.inverse_norm(place));
      const double off = std::abs(double{distance} - double{options.truth_distances[i]});
      if (!(off <= kNear * std::max(1.0, std::abs(double{distance}))))
        return bad_truth(q, label, "distance " + std::to_string(options.truth_distances[i]),
                         std::to_string(distance) + ", that of the index");
      set.truth.push_back(ref);
      farthest = std::max(farthest, distance);
    }
    set.kth.push_back(farthest);
    CAIRN_TRY(tell("look up neighbours", q + 1, queries));
  }
  return {};
}

}  // namespace cairn::search
