// Reachability of what will be written: every vector can be walked to from the entry points, and
// none is without an in-edge. Works on the fitted lists, so that nothing later can undo it, and
// reads them in slot order as often as it takes: in RAM are three bits a slot and a few chunks.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "engine/build/graph_files.h"
#include "engine/build/pipnn.h"
#include "layout/node_block.h"
#include "layout/streams.h"

namespace cairn::build {

/// Edges that the repair added: pinned, in this order, to lists as the merge left them.
class Pins {
 public:
  void add(std::uint32_t from, std::uint32_t to) {
    pins_[from].push_back(to);
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  /// Slots that have pins, ascending.
  std::vector<std::uint32_t> sources() const;
  /// Puts the pins of a chunk into it and fits their blocks again; returns how many edges fell.
  std::uint64_t apply(const layout::BlockShape& shape, ListChunk& chunk) const;
  std::vector<std::uint64_t> words() const;
  static Pins from(std::span<const std::uint64_t> words);

 private:
  std::map<std::uint32_t, std::vector<std::uint32_t>> pins_;
  std::uint64_t count_ = 0;
};

struct RepairReport {
  Pins pins;
  std::uint64_t dropped = 0;  // by fitting blocks again
  std::uint32_t passes = 0;   // walks over all edges, the last of which found nothing to do
};

/// Vectors of one cell, for choosing near ones: row slot_row[s] of `vectors` is that of slot
/// first_slot + s.
struct CellVectors {
  std::uint64_t first_slot = 0;
  std::vector<std::uint32_t> slot_row;
  VectorBatch vectors;  // of the build space
};
/// Called with a cell, and what to do with its vectors.
using WithVectors =
    std::function<Status(std::uint32_t cell, const std::function<Status(const CellVectors&)>&)>;

/// Gives every slot that is unreachable or without in-edge an edge from the nearest reachable slot
/// of its cell: among its neighbours' neighbourhood, else among the entry points, else from one
/// close by in slot order, of any cell; the edge is pinned and its block fitted again. Repeats
/// while that cut others off. over_limit when no slot has room for a pinned edge. O(edges) a pass;
/// deterministic.
Result<RepairReport> repair(const ListStore& lists, const SlotPlan& plan,
                            const layout::BlockShape& shape, const layout::Entries& entries,
                            const WithVectors& with_vectors, const Tick& tick);

}  // namespace cairn::build
