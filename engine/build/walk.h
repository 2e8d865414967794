// A walk over a graph that does not fit in memory: chunks of lists are read in slot order for as
// long as one has slots that were reached and not yet left.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <list>
#include <vector>

#include "engine/build/repair.h"

namespace cairn::build {

/// Chunks with the pins in place; keeps the last few.
class PinnedLists {
 public:
  PinnedLists(const ListStore& lists, const layout::BlockShape& shape, const Pins& pins)
      : lists_(lists), shape_(shape), pins_(pins) {}
  Result<const ListChunk*> chunk(std::uint32_t number);
  /// Rows from `first` on of a chunk that chunk() gave last, after a pin was added to them.
  void patch(std::uint32_t number, std::uint32_t first, const Graph& rows);
  const ListStore& lists() const { return lists_; }

 private:
  const ListStore& lists_;
  const layout::BlockShape& shape_;
  const Pins& pins_;
  std::list<std::pair<std::uint32_t, ListChunk>> kept_;  // last used first
};

class Walk {
 public:
  Walk(PinnedLists& lists, std::uint64_t slots);
  /// Marks a slot; its edges are followed by the next run().
  void reach(std::uint32_t slot);
  /// Follows edges until no reached slot is left to follow.
  Status run(const Tick& tick);
  bool reached(std::uint32_t slot) const { return reached_[slot]; }
  std::uint64_t slots() const { return reached_.size(); }
  /// Whether a reached slot has an edge to it.
  bool has_in_edge(std::uint32_t slot) const { return has_in_edge_[slot]; }
  void set_in_edge(std::uint32_t slot) { has_in_edge_[slot] = true; }

 private:
  Status follow(std::uint32_t chunk);

  PinnedLists& lists_;
  std::vector<bool> reached_, followed_, has_in_edge_;
  std::vector<std::uint32_t> waiting_;  // by chunk: reached and not followed
  std::uint64_t done_ = 0;
  std::vector<std::uint32_t> stack_, row_;
};

}  // namespace cairn::build
