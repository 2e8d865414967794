// What the blocks of an index are like.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <functional>

#include "engine/search/block_scan.h"
#include "engine/search/index_folder.h"

namespace cairn::search {

/// Sees each block once, of the segment at that place of the manifest.
using BlockSeen = std::function<void(std::size_t segment, const ScannedBlock& block)>;

/// One sequential pass over the blocks; every page is verified, the first bad one ends it.
/// `progress` and `seen` may be empty.
Result<StructureReport> inspect_folder(
    const IndexFolder& folder, bool direct,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress,
    const BlockSeen& seen = {});

}  // namespace cairn::search
