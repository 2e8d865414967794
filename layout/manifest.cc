#include "layout/manifest.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "layout/byte_reader.h"
#include "layout/streams.h"

namespace cairn::layout {
namespace {

constexpr std::string_view kName = "manifest";

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

/// Of a copy with the checksum field zeroed and this version: a manifest is small and read once.
std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  std::memcpy(copy.data() + offsetof(ManifestHeader, version), &kManifestVersion,
              sizeof kManifestVersion);
  std::memset(copy.data() + offsetof(ManifestHeader, checksum), 0, sizeof(std::uint64_t));
  return XXH3_64bits(copy.data(), copy.size());
}

tl::unexpected<Error> newer(std::string found, std::string expected) {
  return fail({.code = ErrorCode::unsupported,
               .what = "decode manifest",
               .found = std::move(found),
               .expected = std::move(expected)});
}

/// What must hold before the tables may be read: the version comes first, because a newer format
/// may define everything after it anew. A file that is whole but for the version that it states is
/// no newer one.
Status check_envelope(const ManifestHeader& header, std::span<const std::byte> bytes) {
  if (header.magic != kManifestMagic)
    return malformed(kName, "magic " + hex(header.magic), hex(kManifestMagic));
  if (header.version != kManifestVersion && checksum_of(bytes) == header.checksum)
    return malformed(kName, "format version " + std::to_string(header.version),
                     std::to_string(kManifestVersion) + ", as its checksum says");
  if (header.version > kManifestVersion)
    return newer("format version " + std::to_string(header.version),
                 "at most " + std::to_string(kManifestVersion));
  if (header.version == 0) return malformed(kName, "format version 0", "at least 1");
  if (header.header_bytes != sizeof(ManifestHeader))
    return malformed(kName, std::to_string(header.header_bytes) + " header bytes",
                     std::to_string(sizeof(ManifestHeader)));
  if (header.total_bytes != bytes.size())
    return malformed(kName, std::to_string(bytes.size()) + " bytes",
                     std::to_string(header.total_bytes));
  const std::uint64_t sum = checksum_of(bytes);
  if (header.checksum != sum)
    return malformed(kName, "checksum " + hex(header.checksum), "checksum " + hex(sum));
  if ((header.incompatible & ~kKnownIncompatible) != 0)
    return newer("incompatible feature bits " + hex(header.incompatible),
                 "none but " + hex(kKnownIncompatible));
  return {};
}

template <class T>
std::size_t table_bytes(const std::vector<T>& table) {
  return table.size() * sizeof(T);
}

template <class T>
std::byte* put_table(std::byte* at, const std::vector<T>& table) {
  if (!table.empty()) std::memcpy(at, table.data(), table_bytes(table));
  return at + table_bytes(table);
}

void fill_counts(Manifest& manifest) {
  ManifestHeader& header = manifest.header;
  header.magic = kManifestMagic;
  header.version = kManifestVersion;
  header.header_bytes = sizeof(ManifestHeader);
  header.segment_count = static_cast<std::uint32_t>(manifest.segments.size());
  header.extent_count = static_cast<std::uint32_t>(manifest.extents.size());
  header.file_count =
      static_cast<std::uint32_t>(manifest.files.size() + manifest.foreign_files.size());
  header.total_bytes = sizeof header + table_bytes(manifest.segments) +
                       table_bytes(manifest.extents) + table_bytes(manifest.files) +
                       table_bytes(manifest.foreign_files);
  header.checksum = 0;
  for (SegmentRecord& segment : manifest.segments)
    segment.extent_count = static_cast<std::uint32_t>(
        std::ranges::count(manifest.extents, segment.segment, &ExtentRecord::segment));
}

/// Role 0 is none, in any version.
void set_foreign_apart(Manifest& manifest) {
  std::vector<FileRecord>& files = manifest.files;
  const auto foreign = std::stable_partition(files.begin(), files.end(), [](const auto& file) {
    return file.role <= static_cast<std::uint16_t>(kRoleMax);
  });
  manifest.foreign_files.assign(foreign, files.end());
  files.erase(foreign, files.end());
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::blocks:
      return "blocks";
    case Role::codes:
      return "codes";
    case Role::refine:
      return "refine";
    case Role::nav:
      return "nav";
    case Role::entries:
      return "entries";
    case Role::labels:
      return "labels";
    case Role::calibration:
      return "calibration";
  }
  return "unknown";
}

const FileRecord* Manifest::find(std::uint64_t segment, Role role) const {
  for (const FileRecord& file : files)
    if (file.segment == segment && file.role == static_cast<std::uint16_t>(role)) return &file;
  return nullptr;
}

std::vector<const FileRecord*> Manifest::files_of(std::uint64_t segment, Role role) const {
  std::vector<const FileRecord*> of;
  for (const FileRecord& file : files)
    if (file.segment == segment && file.role == static_cast<std::uint16_t>(role))
      of.push_back(&file);
  std::ranges::sort(of, {}, &FileRecord::number);
  return of;
}

std::uint32_t Manifest::layer_bytes(const FileRecord& file, std::uint64_t slot_count) const {
  const std::uint64_t head =
      CodesPlan{.header = {.dim = header.dim, .m = 0, .count = 0}}.codes_at();
  const std::uint64_t codes = file.stream_bytes - std::min(head, file.stream_bytes);
  const std::uint64_t bytes = codes / slot_count;
  return codes % slot_count == 0 && bytes <= header.dim ? static_cast<std::uint32_t>(bytes) : 0;
}

std::span<const ExtentRecord> Manifest::extents_of(std::uint64_t segment) const {
  const auto first = std::ranges::lower_bound(extents, segment, {}, &ExtentRecord::segment);
  const auto last = std::find_if(first, extents.end(), [segment](const ExtentRecord& extent) {
    return extent.segment != segment;
  });
  return {first, last};
}

BlockShape Manifest::block_shape(const SegmentRecord& segment) const {
  return {.block_bytes = segment.block_bytes,
          .slots = segment.slots_per_block,
          .row_bytes = static_cast<std::uint32_t>(header.dim * dtype_bytes(dtype())),
          .has_norms = metric() == Metric::cosine};
}

std::string file_name(std::uint64_t number, Role role) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%06llu.", static_cast<unsigned long long>(number));
  return digits + std::string(role_name(role));
}

std::uint64_t file_identity(std::uint64_t index_id, Role role, std::uint64_t number) {
  const std::uint64_t words[3] = {index_id, static_cast<std::uint64_t>(role), number};
  return XXH3_64bits(words, sizeof words);
}

std::vector<std::byte> encode_manifest(Manifest manifest) {
  fill_counts(manifest);
  std::vector<std::byte> bytes(static_cast<std::size_t>(manifest.header.total_bytes));
  std::byte* at = bytes.data() + sizeof(ManifestHeader);
  std::memcpy(bytes.data(), &manifest.header, sizeof(ManifestHeader));
  at = put_table(at, manifest.segments);
  at = put_table(at, manifest.extents);
  at = put_table(at, manifest.files);
  put_table(at, manifest.foreign_files);
  const std::uint64_t sum = checksum_of(bytes);
  std::memcpy(bytes.data() + offsetof(ManifestHeader, checksum), &sum, sizeof sum);
  return bytes;
}

Result<Manifest> decode_manifest(std::span<const std::byte> bytes) {
  if (bytes.size() > kManifestBytesMax)
    return malformed(kName, std::to_string(bytes.size()) + " bytes",
                     "at most " + std::to_string(kManifestBytesMax));
  ByteReader reader(bytes, kName);
  Manifest manifest;
  CAIRN_ASSIGN(manifest.header, reader.take<ManifestHeader>());
  CAIRN_TRY(check_envelope(manifest.header, bytes));
  CAIRN_ASSIGN(manifest.segments, reader.take_many<SegmentRecord>(manifest.header.segment_count));
  CAIRN_ASSIGN(manifest.extents, reader.take_many<ExtentRecord>(manifest.header.extent_count));
  CAIRN_ASSIGN(manifest.files, reader.take_many<FileRecord>(manifest.header.file_count));
  if (reader.remaining() != 0)
    return malformed(kName, std::to_string(reader.remaining()) + " bytes after the last file", "0");
  set_foreign_apart(manifest);
  CAIRN_TRY(check_manifest(manifest));
  return manifest;
}

}  // namespace cairn::layout
