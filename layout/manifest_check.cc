// The invariants between the records of a manifest. Everything that a reader derives later
// (offsets, allocations, the block of a slot) is made safe here, once.
#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "layout/byte_reader.h"
#include "layout/manifest.h"
#include "layout/page.h"

namespace cairn::layout {
namespace {

constexpr std::string_view kName = "manifest";
constexpr std::uint64_t kFileBytesMax = std::numeric_limits<std::int64_t>::max();

std::string text(std::uint64_t value) { return std::to_string(value); }

/// `corrupt` unless `value` is in [low, high].
Status within(const std::string& of, std::string_view field, std::uint64_t value, std::uint64_t low,
              std::uint64_t high) {
  if (value >= low && value <= high) return {};
  return malformed(kName, of + ": " + std::string(field) + " " + text(value),
                   low == high ? text(low) : text(low) + " to " + text(high));
}

Status check_kernel_path(const ManifestHeader& header) {
  const char* const end = header.kernel_path + sizeof header.kernel_path;
  const char* const zero = std::find(header.kernel_path, end, '\0');
  const bool printable =
      std::all_of(header.kernel_path, zero, [](char c) { return c >= ' ' && c <= '~'; });
  const bool padded = std::all_of(zero, end, [](char c) { return c == '\0'; });
  if (printable && padded) return {};
  return malformed(kName, "kernel path that is not text", "printable text padded with zeros");
}

Status check_header(const ManifestHeader& header) {
  const std::string of = "header";
  CAIRN_TRY(within(of, "sequence", header.sequence, 0, kSequenceMax));
  CAIRN_TRY(within(of, "dim", header.dim, 1, kDimMax));
  CAIRN_TRY(within(of, "dtype", header.dtype, 1, static_cast<std::uint64_t>(DType::f32)));
  CAIRN_TRY(within(of, "metric", header.metric, 1, static_cast<std::uint64_t>(Metric::cosine)));
  CAIRN_TRY(within(of, "reserved", header.reserved0, 0, 0));
  CAIRN_TRY(within(of, "reserved", header.reserved1, 0, 0));
  return check_kernel_path(header);
}

std::string name_of(const SegmentRecord& segment) { return "segment " + text(segment.segment); }

Status check_segment(const Manifest& manifest, const SegmentRecord& segment) {
  const std::string of = name_of(segment);
  CAIRN_TRY(within(of, "slot count", segment.slot_count, 1, kNoSlot - 1));
  CAIRN_TRY(within(of, "vector count", segment.vector_count, 1, segment.slot_count));
  CAIRN_TRY(within(of, "slots per block", segment.slots_per_block, 1, kSlotsPerBlockMax));
  CAIRN_TRY(within(of, "degree bound", segment.degree_max, 0, kDegreeMax));
  CAIRN_TRY(within(of, "edge count", segment.edge_count, 0, segment.vector_count * kDegreeMax));
  CAIRN_TRY(within(of, "code bytes", segment.code_bytes, 1, manifest.header.dim));
  CAIRN_TRY(within(of, "refine bytes", segment.refine_bytes, 0, manifest.header.dim));
  if (!manifest.block_shape(segment).valid())
    return malformed(kName,
                     of + ": " + text(segment.slots_per_block) + " slots in a block of " +
                         text(segment.block_bytes) + " bytes",
                     "a multiple of 4096 up to 1 MiB that holds them");
  return {};
}

const SegmentRecord* find_segment(const Manifest& manifest, std::uint64_t number) {
  const auto at = std::ranges::lower_bound(manifest.segments, number, {}, &SegmentRecord::segment);
  return at != manifest.segments.end() && at->segment == number ? &*at : nullptr;
}

Status check_segments(const Manifest& manifest) {
  for (std::size_t i = 0; i < manifest.segments.size(); ++i) {
    if (i > 0 && manifest.segments[i].segment <= manifest.segments[i - 1].segment)
      return malformed(kName,
                       name_of(manifest.segments[i]) + " after segment " +
                           text(manifest.segments[i - 1].segment),
                       "ascending segment numbers");
    CAIRN_TRY(check_segment(manifest, manifest.segments[i]));
  }
  return {};
}

Role role_of(const FileRecord& file) { return static_cast<Role>(file.role); }

bool is_paged(Role role) { return role == Role::blocks || role == Role::labels; }

std::string name_of(const FileRecord& file) { return "file " + text(file.number); }

Status check_number(const Manifest& manifest, const FileRecord& file) {
  if (file.number < manifest.header.next_file_number) return {};
  return malformed(kName, name_of(file), "numbers below " + text(manifest.header.next_file_number));
}

Status check_file(const Manifest& manifest, const FileRecord& file) {
  const std::string of = name_of(file);
  CAIRN_TRY(check_number(manifest, file));
  CAIRN_TRY(within(of, "role", file.role, 1, static_cast<std::uint64_t>(kRoleMax)));
  CAIRN_TRY(within(of, "reserved", file.reserved, 0, 0));
  const SegmentRecord* const segment = find_segment(manifest, file.segment);
  if (segment == nullptr)
    return malformed(kName, of + ": segment " + text(file.segment), "a segment of this manifest");
  const std::uint64_t page_bytes =
      role_of(file) == Role::blocks ? segment->block_bytes : kPageBytes;
  CAIRN_TRY(within(of, "page bytes", file.page_bytes, page_bytes, page_bytes));
  CAIRN_TRY(within(of, "pages", file.pages, 1, kFileBytesMax / page_bytes));
  if (is_paged(role_of(file))) return within(of, "stream bytes", file.stream_bytes, 0, 0);
  const std::uint64_t most = file.pages * kPagePayloadBytes;
  return within(of, "stream bytes", file.stream_bytes, most - kPagePayloadBytes + 1, most);
}

Status check_files(const Manifest& manifest) {
  std::vector<std::uint64_t> numbers;
  std::vector<std::uint64_t> identities;
  for (const FileRecord& file : manifest.files) {
    CAIRN_TRY(check_file(manifest, file));
    numbers.push_back(file.number);
    identities.push_back(file.identity);
  }
  // What else holds of these is for those who know their role.
  for (const FileRecord& file : manifest.foreign_files) {
    CAIRN_TRY(check_number(manifest, file));
    numbers.push_back(file.number);
    identities.push_back(file.identity);
  }
  for (auto* values : {&numbers, &identities}) {
    std::ranges::sort(*values);
    const auto twice = std::ranges::adjacent_find(*values);
    if (twice != values->end())
      return malformed(kName,
                       "two files of " + std::string(values == &numbers ? "number " : "identity ") +
                           text(*twice),
                       "unique numbers and identities");
  }
  return {};
}

/// How many files of each role a segment has.
Status check_roles(const Manifest& manifest) {
  std::map<std::pair<std::uint64_t, Role>, std::uint64_t> counts;
  for (const FileRecord& file : manifest.files) ++counts[{file.segment, role_of(file)}];
  const auto check = [&](const SegmentRecord& segment, Role role, std::uint64_t low,
                         std::uint64_t high) {
    return within(name_of(segment), "number of " + std::string(role_name(role)) + " files",
                  counts[{segment.segment, role}], low, high);
  };
  for (const SegmentRecord& segment : manifest.segments) {
    for (const Role role : {Role::codes, Role::entries, Role::labels})
      CAIRN_TRY(check(segment, role, 1, 1));
    CAIRN_TRY(check(segment, Role::nav, 0, 1));
    CAIRN_TRY(
        check(segment, Role::refine, segment.refine_bytes == 0 ? 0 : 1, segment.refine_bytes));
    const bool calibrated = (manifest.header.compatible & kCompatibleCalibration) != 0;
    const std::uint64_t calibrations = calibrated && &segment == &manifest.segments.front() ? 1 : 0;
    CAIRN_TRY(check(segment, Role::calibration, calibrations, calibrations));
  }
  return {};
}

/// The layers of each refinement add up, and the feature bit says whether there are several.
Status check_refinement(const Manifest& manifest) {
  struct Layers {
    std::uint64_t count = 0, bytes = 0;
  };
  std::map<std::uint64_t, Layers> layers;  // by segment
  for (const FileRecord& file : manifest.files) {
    if (role_of(file) != Role::refine) continue;
    const std::uint32_t bytes =
        manifest.layer_bytes(file, find_segment(manifest, file.segment)->slot_count);
    if (bytes == 0)
      return malformed(
          kName, "file " + text(file.number) + ": stream of " + text(file.stream_bytes) + " bytes",
          "a codebook and codes of all slots");
    Layers& of = layers[file.segment];
    ++of.count;
    of.bytes += bytes;
  }
  bool several = false;
  for (const SegmentRecord& segment : manifest.segments) {
    const Layers& of = layers[segment.segment];
    CAIRN_TRY(within(name_of(segment), "bytes a slot of its refine files", of.bytes,
                     segment.refine_bytes, segment.refine_bytes));
    several |= of.count > 1;
  }
  const std::uint64_t bit = several ? kRefinementInLayers : 0;
  return within("header", "feature bit of refinement in layers",
                manifest.header.incompatible & kRefinementInLayers, bit, bit);
}

std::string name_of(const ExtentRecord& extent) {
  return "extent of segment " + text(extent.segment) + " at slot " + text(extent.first_slot);
}

using FilesByNumber = std::vector<const FileRecord*>;

Status check_extent(const ExtentRecord& extent, const SegmentRecord& segment,
                    const FilesByNumber& files, std::uint64_t next_slot) {
  const std::string of = name_of(extent);
  CAIRN_TRY(within(of, "reserved", extent.reserved, 0, 0));
  CAIRN_TRY(within(of, "first slot", extent.first_slot, next_slot, next_slot));
  CAIRN_TRY(within(of, "slot count", extent.slot_count, 1, segment.slot_count - next_slot));
  if (extent.slot_count % segment.slots_per_block != 0)
    return malformed(kName, of + ": slot count " + text(extent.slot_count),
                     "a multiple of " + text(segment.slots_per_block));
  const auto number = [](const FileRecord* file) { return file->number; };
  const auto at = std::ranges::lower_bound(files, extent.blocks_file, {}, number);
  if (at == files.end() || (*at)->number != extent.blocks_file || role_of(**at) != Role::blocks ||
      (*at)->segment != segment.segment)
    return malformed(kName, of + ": blocks file " + text(extent.blocks_file),
                     "a blocks file of its segment");
  const std::uint64_t blocks = extent.slot_count / segment.slots_per_block;
  if (extent.first_block > (*at)->pages || blocks > (*at)->pages - extent.first_block)
    return malformed(kName,
                     of + ": " + text(blocks) + " blocks from block " + text(extent.first_block),
                     "within the file's " + text((*at)->pages));
  return {};
}

/// No block belongs to two extents. Extents are valid by themselves.
Status check_overlap(const Manifest& manifest) {
  std::vector<const ExtentRecord*> order;
  for (const ExtentRecord& extent : manifest.extents) order.push_back(&extent);
  std::ranges::sort(order, {}, [](const ExtentRecord* extent) {
    return std::pair{extent->blocks_file, extent->first_block};
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const ExtentRecord& before = *order[i - 1];
    const std::uint64_t blocks =
        before.slot_count / find_segment(manifest, before.segment)->slots_per_block;
    if (before.blocks_file == order[i]->blocks_file &&
        order[i]->first_block - before.first_block < blocks)
      return malformed(kName, name_of(*order[i]) + ": block " + text(order[i]->first_block),
                       "blocks of no other extent");
  }
  return {};
}

Status check_extents(const Manifest& manifest) {
  FilesByNumber files;
  for (const FileRecord& file : manifest.files) files.push_back(&file);
  std::ranges::sort(files, {}, [](const FileRecord* file) { return file->number; });
  std::size_t at = 0;
  for (const SegmentRecord& segment : manifest.segments) {
    std::uint64_t next_slot = 0;
    std::uint64_t count = 0;
    for (; at < manifest.extents.size() && manifest.extents[at].segment == segment.segment; ++at) {
      CAIRN_TRY(check_extent(manifest.extents[at], segment, files, next_slot));
      next_slot += manifest.extents[at].slot_count;
      ++count;
    }
    CAIRN_TRY(within(name_of(segment), "slots of its extents", next_slot, segment.slot_count,
                     segment.slot_count));
    CAIRN_TRY(within(name_of(segment), "extents", segment.extent_count, count, count));
  }
  if (at != manifest.extents.size())
    return malformed(kName, name_of(manifest.extents[at]), "extents in the order of the segments");
  return check_overlap(manifest);
}

}  // namespace

Status check_manifest(const Manifest& manifest) {
  CAIRN_TRY(check_header(manifest.header));
  CAIRN_TRY(check_segments(manifest));
  CAIRN_TRY(check_files(manifest));
  CAIRN_TRY(check_roles(manifest));
  CAIRN_TRY(check_extents(manifest));
  return check_refinement(manifest);
}

}  // namespace cairn::layout
