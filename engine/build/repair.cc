#include "engine/build/repair.h"

#include <algorithm>
#include <string>

#include "engine/build/candidate_rows.h"
#include "engine/build/pack.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kPassesMax = 64;

/// Marks all that can be reached from `from`, which is marked here.
void walk(const Graph& graph, std::uint32_t from, std::vector<bool>& reached,
          std::vector<std::uint32_t>& stack) {
  if (reached[from]) return;
  reached[from] = true;
  stack.assign(1, from);
  while (!stack.empty()) {
    const std::uint32_t slot = stack.back();
    stack.pop_back();
    for (const std::uint32_t to : graph.row(slot)) {
      if (reached[to]) continue;
      reached[to] = true;
      stack.push_back(to);
    }
  }
}

class Repairer {
 public:
  Repairer(Graph& graph, const layout::BlockShape& shape, const SlotVectors& vectors,
           const layout::Entries& entries)
      : graph_(graph),
        shape_(shape),
        vectors_(vectors),
        entries_(entries),
        l2_(math::l2_kernel(vectors.vectors.dtype)) {}

  Result<RepairReport> run() {
    for (report_.passes = 1; report_.passes <= kPassesMax; ++report_.passes) {
      CAIRN_ASSIGN(const bool whole, pass());
      if (whole) return report_;
    }
    return fail({.code = ErrorCode::over_limit,
                 .what = "repair of the graph",
                 .found = "slots still cut off after " + std::to_string(kPassesMax) + " passes",
                 .expected = "a higher degree"});
  }

 private:
  /// Whether nothing had to be done.
  Result<bool> pass() {
    reached_ = reachable_slots(graph_, entries_);
    has_in_edge_.assign(graph_.count(), graph_.count() == 1);
    for (std::size_t s = 0; s < graph_.count(); ++s)
      for (const std::uint32_t to : graph_.row(s)) has_in_edge_[to] = true;
    const std::uint64_t before = report_.edges;
    // Reachability first: it makes the in-edges of most, and parents for the rest.
    CAIRN_TRY(attach_all(reached_));
    CAIRN_TRY(attach_all(has_in_edge_));
    return report_.edges == before;
  }

  /// Attaches every slot that is not in `good`.
  Status attach_all(const std::vector<bool>& good) {
    for (std::uint32_t s = 0; s < graph_.count(); ++s) {
      if (good[s]) continue;
      if (!attach(s))
        return fail({.code = ErrorCode::over_limit,
                     .what = "repair of the graph",
                     .found = "no room for an edge to slot " + std::to_string(s),
                     .expected = "a higher degree"});
      ++report_.edges;
      has_in_edge_[s] = true;
      walk(graph_, s, reached_, stack_);
    }
    return {};
  }

  bool attach(std::uint32_t slot) {
    return attach_near(slot) || attach_to_entry(slot) || attach_anywhere(slot);
  }

  bool attach_near(std::uint32_t slot) {
    around_.clear();
    for (const std::uint32_t near : graph_.row(slot)) {
      around_.push_back(near);
      const auto next = graph_.row(near);
      around_.insert(around_.end(), next.begin(), next.end());
    }
    std::sort(around_.begin(), around_.end());
    around_.erase(std::unique(around_.begin(), around_.end()), around_.end());
    return pin_nearest(around_, slot);
  }

  /// Lists nearest head first, as a search would take them.
  bool attach_to_entry(std::uint32_t slot) {
    std::vector<Candidate> lists;
    for (std::uint32_t i = 0; i < entries_.heads.size(); ++i)
      lists.push_back({distance(entries_.heads[i], slot), i});
    std::sort(lists.begin(), lists.end());
    for (const Candidate& list : lists) {
      const std::uint32_t begin = entries_.begins[list.id];
      const std::uint32_t end = entries_.begins[list.id + 1];
      if (pin_nearest(std::span(entries_.slots).subspan(begin, end - begin), slot)) return true;
    }
    return false;
  }

  /// Slots near each other hold vectors near each other.
  bool attach_anywhere(std::uint32_t slot) {
    const std::size_t count = graph_.count();
    for (std::size_t away = 1; away < count; ++away) {
      if (away <= slot && try_pin(static_cast<std::uint32_t>(slot - away), slot)) return true;
      if (slot + away < count && try_pin(static_cast<std::uint32_t>(slot + away), slot))
        return true;
    }
    return false;
  }

  bool pin_nearest(std::span<const std::uint32_t> from, std::uint32_t slot) {
    candidates_.clear();
    for (const std::uint32_t f : from)
      if (f != slot && reached_[f]) candidates_.push_back({distance(f, slot), f});
    std::sort(candidates_.begin(), candidates_.end());
    return std::any_of(candidates_.begin(), candidates_.end(),
                       [&](const Candidate& candidate) { return try_pin(candidate.id, slot); });
  }

  bool try_pin(std::uint32_t from, std::uint32_t to) {
    if (!reached_[from] || graph_.pinned[from] == graph_.degree_max) return false;
    const std::size_t first = from - from % shape_.slots;
    const std::uint64_t room = shape_.adjacency_capacity();
    if (pinned_bytes(graph_, shape_, first) + kEdgeBytesMax > room) return false;
    graph_.pin_edge(from, to);
    report_.dropped += fit_block(graph_, shape_, first);
    return true;
  }

  float distance(std::uint32_t a, std::uint32_t b) const {
    const auto row = [&](std::uint32_t slot) {
      return vectors_.vectors.row(vectors_.vector_of_slot[slot]).data;
    };
    return l2_(row(a), row(b), vectors_.vectors.dim);
  }

  // A bound on what one more edge adds: its own integer, and a longer one for the edge behind it.
  static constexpr std::uint64_t kEdgeBytesMax = 5 + 5;

  Graph& graph_;
  const layout::BlockShape& shape_;
  const SlotVectors& vectors_;
  const layout::Entries& entries_;
  math::PairKernel l2_;
  std::vector<bool> reached_, has_in_edge_;
  std::vector<std::uint32_t> stack_, around_;
  std::vector<Candidate> candidates_;
  RepairReport report_;
};

}  // namespace

std::vector<bool> reachable_slots(const Graph& graph, const layout::Entries& entries) {
  std::vector<bool> reached(graph.count());
  std::vector<std::uint32_t> stack;
  for (const auto* slots : {&entries.heads, &entries.slots})
    for (const std::uint32_t slot : *slots) walk(graph, slot, reached, stack);
  return reached;
}

Result<RepairReport> repair(Graph& graph, const layout::BlockShape& shape,
                            const SlotVectors& vectors, const layout::Entries& entries) {
  return Repairer(graph, shape, vectors, entries).run();
}

}  // namespace cairn::build
