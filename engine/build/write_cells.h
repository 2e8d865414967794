// Blocks and codes of an index, cell after cell: the two files that take most of the room grow
// while what they are made of goes.
#pragma once

#include <cairn/result.h>

#include "engine/build/index_files.h"
#include "engine/build/write_index.h"

namespace cairn::build {

/// Writes the blocks, codes and refine files of the cells that the journal does not have.
Status write_cells(const Job& job, const IndexParts& parts, const IndexFiles& files);

}  // namespace cairn::build
