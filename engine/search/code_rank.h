// Where the codes in RAM rank a vector for a query among all vectors, whatever the walk meets.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/search/code_tables.h"
#include "engine/search/query.h"
#include "engine/search/reach.h"
#include "engine/search/snapshot.h"

namespace cairn::search {

/// Not thread-safe.
class CodeRank {
 public:
  /// `occupied`: a SlotBits a segment. Both must outlive it.
  CodeRank(const Snapshot& snapshot, std::span<const SlotBits> occupied)
      : snapshot_(snapshot), occupied_(occupied) {}

  /// Ranks all codes for a query. `list_max`: the longest list to ask about; `navigable`: whether
  /// its searches walk edges in RAM. O(slots * code bytes); RAM: 28 bytes a candidate of the walk.
  void rank(VectorView query, std::optional<Ref> hidden, std::uint64_t list_max, bool navigable);

  /// Whether a list of `list_size`, at most list_max, would hold `ref` when the walk has met every
  /// vector: among so many by base code as the walk keeps, and among list_size of these by refined
  /// code.
  bool holds(Ref ref, std::uint64_t list_size) const;

 private:
  struct Ranked {
    float base;
    float refined;
    std::uint32_t segment, slot;
  };
  static bool before(const Ranked& a, const Ranked& b);
  void offer(const Ranked& candidate);

  const Snapshot& snapshot_;
  std::span<const SlotBits> occupied_;
  CodeTables codes_;
  std::vector<Ranked> best_;  // by base code, ascending
  std::size_t best_max_ = 0;
  bool navigable_ = false, refining_ = false;
};

}  // namespace cairn::search
