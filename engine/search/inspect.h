// What the blocks of an index are like.
#pragma once

#include <cairn/index.h>

#include "engine/search/index_folder.h"

namespace cairn::search {

/// One sequential pass over the blocks; every page is verified, the first bad one ends it.
Result<StructureReport> inspect_folder(const IndexFolder& folder, bool direct);

}  // namespace cairn::search
