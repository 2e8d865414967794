// Fits the lists of a slot-ordered graph into blocks: how many slots a block has, and which edges
// are dropped where a block is too full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/build/graph.h"
#include "engine/build/workers.h"
#include "layout/node_block.h"

namespace cairn::build {

/// The smallest block (a multiple of 4 KiB, to 16 KiB, or to what one row needs beyond that) whose
/// bytes a vector are within 30 % of the best, and as many slots (at most 64) as it holds when the
/// encoded list of a slot takes `adjacency_bytes_mean`.
layout::BlockShape choose_shape(std::uint32_t row_bytes, bool has_norms,
                                double adjacency_bytes_mean);

/// Mean bytes of an encoded list, over a sample drawn by seed. `graph`: targets are slots.
double mean_adjacency_bytes(const Graph& graph, std::uint64_t seed);

/// Lowers shape.slots until in every block the pinned edges alone fit. False when not even one slot
/// a block does. O(pinned edges).
bool make_pinned_fit(const Graph& graph, layout::BlockShape& shape);

/// What the pinned edges of the block that starts at `first_slot` take.
std::size_t pinned_bytes(const Graph& graph, const layout::BlockShape& shape,
                         std::size_t first_slot);

/// Until the lists of the block that starts at `first_slot` fit, drops the last edge that is not
/// pinned from the longest list that has one (the first of them on ties). Returns how many were
/// dropped. The pinned edges fit.
std::uint64_t fit_block(Graph& graph, const layout::BlockShape& shape, std::size_t first_slot);

/// fit_block on all blocks.
std::uint64_t fit_blocks(Graph& graph, const layout::BlockShape& shape, const Workers& workers);

}  // namespace cairn::build
