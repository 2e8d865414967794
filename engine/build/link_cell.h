// One partition from its vectors to its lists: members are linked, pruned and ordered; core vectors
// keep their edges, second copies leave their best for the owner.
#pragma once

#include <cairn/result.h>

#include <cstdint>

#include "engine/build/cell_files.h"
#include "engine/build/scatter.h"

namespace cairn::build {

struct LinkTask {
  std::uint32_t cell = 0;
  std::uint32_t shaper = 0;  // the cell that chooses the shape of blocks for all, linked before
  std::uint64_t members_max = 0;  // of what the memory allows
};

/// Writes the files of the cell (cell_files.h) and their record. member_bytes() (budget.h) a
/// distinct member of RAM. over_limit when there are too many.
Status link_cell(const Job& job, const Scattered& scattered, const LinkTask& task,
                 const Tick& tick);

}  // namespace cairn::build
