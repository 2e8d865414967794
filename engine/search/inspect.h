// What the blocks of an index are like.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <functional>

#include "engine/search/index_folder.h"

namespace cairn::search {

/// One sequential pass over the blocks; every page is verified, the first bad one ends it.
/// `progress` may be empty.
Result<StructureReport> inspect_folder(
    const IndexFolder& folder, bool direct,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace cairn::search
