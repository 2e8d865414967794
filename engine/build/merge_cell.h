// Joins what two partitions found for each vector: the owner's list and the edges that its second
// copy offers. By usefulness, without looking at a vector again: measured to lose nothing
// (DESIGN.md, Partitions). Then the lists are in slots, fit their blocks, and stand as the index
// will have them.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/cell_files.h"
#include "engine/build/graph_files.h"

namespace cairn::build {

/// The slot of every row of the input: 4 bytes a row of RAM.
Result<std::vector<std::uint32_t>> load_slots(const Job& job, std::span<const LinkedCell> cells,
                                              const SlotPlan& plan);

/// The joined world of cells.
struct MergeInput {
  std::span<const LinkedCell> cells;
  const SlotPlan& plan;
  std::span<const std::uint32_t> slot_of_row;
  layout::BlockShape shape;
  ListShape lists;
};

/// What the journal says of a merged cell.
struct MergedCell {
  std::uint64_t edges = 0, dropped = 0;
};

/// Writes graph-C and its record, then removes what it came from, inboxes excepted.
Status merge_cell(const Job& job, const MergeInput& input, std::uint32_t cell);

}  // namespace cairn::build
