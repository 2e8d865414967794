// Fits the lists of a slot-ordered graph into blocks: how many slots a block has, and which edges
// are dropped where a block is too full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/build/graph.h"
#include "engine/workers.h"
#include "layout/node_block.h"

namespace cairn::build {

/// The smallest block (a multiple of 4 KiB, to 16 KiB, or to what one row needs beyond that) whose
/// bytes a vector are within 30 % of the best, and as many slots (at most 64) as it holds when the
/// encoded list of a slot takes `adjacency_bytes_mean`.
layout::BlockShape choose_shape(std::uint32_t row_bytes, bool has_norms,
                                double adjacency_bytes_mean);

/// Mean bytes of an encoded list, over a sample drawn by seed of lists [0, count). `list` appends
/// the targets of a list to its second argument and returns the owner's slot. A list counts as long
/// enough for the edges that are pinned.
double mean_adjacency_bytes(
    std::uint64_t count, std::uint64_t seed,
    const std::function<std::uint32_t(std::uint32_t, std::vector<std::uint32_t>&)>& list);

/// What the pinned edges of the block that starts at row `first_row` of the graph take.
std::size_t pinned_bytes(const Graph& graph, const layout::BlockShape& shape,
                         std::size_t first_row);

/// Until the lists of the block that starts at row `first_row` fit, drops the last edge that is not
/// pinned from the longest list that has one (the first of them on ties). Returns how many were
/// dropped. The pinned edges fit.
std::uint64_t fit_block(Graph& graph, const layout::BlockShape& shape, std::size_t first_row);

/// fit_block on all blocks.
std::uint64_t fit_blocks(Graph& graph, const layout::BlockShape& shape, const Workers& workers);

}  // namespace cairn::build
