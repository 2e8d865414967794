#include "engine/search/inspect.h"

#include <array>
#include <map>
#include <string>
#include <utility>

namespace cairn::search {
namespace {

constexpr std::uint64_t kProgressBlocks = 1024;  // between two reports

Status count_block(const ScannedBlock& block, const layout::SegmentRecord& segment,
                   StructureReport& report) {
  std::array<std::uint32_t, layout::kDegreeMax> targets;
  ++report.blocks;
  report.places += segment.slots_per_block;
  report.adjacency_bytes += block.view.adjacency_bytes_used();
  for (std::uint32_t place = 0; place < segment.slots_per_block; ++place) {
    if (!block.view.occupied(place)) continue;
    CAIRN_ASSIGN(const std::uint32_t degree,
                 block.view.neighbors(place, segment.slot_count, targets));
    ++report.vectors;
    report.edges += degree;
    if (report.degree_histogram.size() <= degree) report.degree_histogram.resize(degree + 1);
    ++report.degree_histogram[degree];
    for (std::uint32_t i = 0; i < degree; ++i)
      if (targets[i] - block.first_slot < segment.slots_per_block) ++report.edges_inside_block;
  }
  return {};
}

}  // namespace

Result<StructureReport> inspect_folder(
    const IndexFolder& folder, bool direct,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress,
    const BlockSeen& seen) {
  const layout::Manifest& manifest = folder.manifest();
  StructureReport report;
  std::uint64_t pages = 0;  // of blocks
  std::map<layout::Role, std::uint64_t> bytes_by_role;
  for (const layout::FileRecord& record : manifest.files) {
    bytes_by_role[role_of(record)] += record.pages * record.page_bytes;
    if (role_of(record) == layout::Role::blocks) pages += record.pages;
  }
  for (const auto& [role, bytes] : bytes_by_role)
    report.parts.push_back({.name = std::string(layout::role_name(role)), .bytes = bytes});
  for (std::size_t at = 0; at < manifest.segments.size(); ++at) {
    const layout::SegmentRecord& segment = manifest.segments[at];
    const layout::BlockShape shape = manifest.block_shape(segment);
    const layout::SegmentMap map(segment, manifest.extents_of(segment.segment));
    for (const auto* record : manifest.files_of(segment.segment, layout::Role::blocks)) {
      const std::string path = folder.path_of(*record);
      const auto visit = [&](const ScannedBlock& block) -> Status {
        Status counted = count_block(block, segment, report);
        if (seen) seen(at, block);
        if (progress && report.blocks % kProgressBlocks == 0) progress(report.blocks, pages);
        if (counted) return counted;
        Error error = std::move(counted).error().in_file(path);
        error.block = block.block;
        return fail(std::move(error));
      };
      CAIRN_TRY(scan_blocks(folder, *record, shape, map, direct, visit));
    }
  }
  if (progress) progress(pages, pages);
  return report;
}

}  // namespace cairn::search
