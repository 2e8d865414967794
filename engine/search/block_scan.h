// Whole passes over the files of an index, for verify and inspect.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/search/index_folder.h"
#include "layout/node_block.h"
#include "layout/segment_map.h"

namespace cairn::search {

/// A block as a pass meets it.
struct ScannedBlock {
  const layout::BlockView& view;
  std::uint32_t first_slot;
  std::uint64_t block;  // in its file
};
using BlockVisitor = std::function<Status(const ScannedBlock&)>;

/// Reads one file of `segment`'s blocks in order and visits every block that the map knows. What is
/// wrong with a page goes to `visit_bad`; without one, and for errors of the visitors, the scan
/// ends. O(file), 1 MiB of memory.
Result<io::PageFileSummary> scan_blocks(const IndexFolder& folder, const layout::FileRecord& record,
                                        const layout::BlockShape& shape,
                                        const layout::SegmentMap& map, bool direct,
                                        const BlockVisitor& visit,
                                        const io::BadPageVisitor& visit_bad = {});

}  // namespace cairn::search
