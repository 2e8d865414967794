#include "tools/export/slot_pass.h"

#include "engine/search/block_scan.h"
#include "io/fs.h"
#include "layout/segment_map.h"
#include "tools/interrupt.h"

namespace cairn::tools {

Result<SlotPass> SlotPass::open(const std::string& folder) {
  CAIRN_ASSIGN(search::IndexFolder index, search::IndexFolder::open(io::posix_fs(), folder));
  const layout::Manifest& manifest = index.manifest();
  const std::size_t segments = manifest.segments.size();
  const std::size_t files =
      segments == 1
          ? manifest.files_of(manifest.segments.front().segment, layout::Role::blocks).size()
          : 0;
  if (segments != 1 || files != 1)
    return fail({.code = ErrorCode::unsupported,
                 .what = "pass over the slots of",
                 .file = folder,
                 .found = std::to_string(segments) + " segments",
                 .expected = "one with all of its blocks in one file"});
  const layout::BlockShape shape = manifest.block_shape(manifest.segments.front());
  return SlotPass(std::move(index), shape);
}

Status SlotPass::run(const Visit& visit) const {
  const layout::SegmentMap map(segment(), manifest().extents_of(segment().segment));
  const auto* record = manifest().files_of(segment().segment, layout::Role::blocks).front();
  std::uint64_t next_slot = 0;
  const auto visit_block = [&](const search::ScannedBlock& block) -> Status {
    if (block.first_slot < next_slot)
      return fail({.code = ErrorCode::unsupported,
                   .what = "pass over slots in their order",
                   .file = folder_.path_of(*record),
                   .block = block.block,
                   .found = "slot " + std::to_string(block.first_slot),
                   .expected = std::to_string(next_slot) + " or more"});
    CAIRN_TRY(check_interrupt());
    next_slot = std::uint64_t{block.first_slot} + shape_.slots;
    for (std::uint32_t place = 0; place < shape_.slots; ++place)
      if (block.view.occupied(place)) CAIRN_TRY(visit(block.first_slot + place, block.view, place));
    return {};
  };
  CAIRN_ASSIGN(const auto summary,
               search::scan_blocks(folder_, *record, shape_, map, /*direct=*/true, visit_block));
  static_cast<void>(summary);
  return {};
}

}  // namespace cairn::tools
