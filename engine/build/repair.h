// Reachability of what will be written: every vector can be walked to from the entry points, and
// none is without an in-edge. Works on the fitted lists, so that nothing later can undo it.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/graph.h"
#include "layout/node_block.h"
#include "layout/streams.h"

namespace cairn::build {

struct RepairReport {
  std::uint64_t edges = 0;    // pinned by the repair
  std::uint64_t dropped = 0;  // by fitting blocks again
  std::uint32_t passes = 0;   // walks over all edges, the last of which found nothing to do
};

/// Where the vectors of slots are, for choosing near ones: slot s is row vector_of_slot[s].
struct SlotVectors {
  VectorBatch vectors;  // of the build space
  std::span<const std::uint32_t> vector_of_slot;
};

/// Bit s: slot s can be reached from the heads and samples of `entries`. O(edges).
std::vector<bool> reachable_slots(const Graph& graph, const layout::Entries& entries);

/// Gives every slot that is unreachable or without in-edge an edge from the nearest reachable slot
/// among its neighbours' neighbourhood, else among the entry points, else close by in slot order;
/// the edge is pinned and its block fitted again. Repeats while that cut others off. over_limit
/// when no slot has room for a pinned edge. O(edges) a pass; deterministic.
Result<RepairReport> repair(Graph& graph, const layout::BlockShape& shape,
                            const SlotVectors& vectors, const layout::Entries& entries);

}  // namespace cairn::build
