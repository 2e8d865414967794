// MANIFEST: what an index folder is. One small file, replaced by rename; it names immutable files
// by number and role, never by a stored path. See FORMAT.md, Manifest.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "layout/node_block.h"

namespace cairn::layout {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

inline constexpr std::uint64_t kManifestMagic = 0x3130'4e52'4941'43'89ULL;  // "\x89CAIRN01"
inline constexpr std::uint32_t kManifestVersion = 1;
inline constexpr std::size_t kManifestBytesMax = 64u << 20;
inline constexpr std::uint64_t kSequenceMax =
    (std::uint64_t{1} << 62) - 1;  // a file offset in PINS
inline constexpr char kManifestName[] = "MANIFEST";
inline constexpr char kPinsName[] = "PINS";          // empty; readers lock byte `sequence` of it
inline constexpr char kWriterLockName[] = "WRITER";  // locked by whoever replaces the manifest

/// What a file holds. Persisted: never renumber.
enum class Role : std::uint16_t {
  blocks = 1,       // vectors, labels, adjacency: node blocks
  codes = 2,        // base codes and their codebook
  refine = 3,       // residual codes and their codebook: one layer
  nav = 4,          // adjacency in RAM form, in slices
  entries = 5,      // entry points, two levels
  labels = 6,       // label -> slot
  calibration = 7,  // recall against effort: of the whole index, filed under its first segment
};
inline constexpr Role kRoleMax = Role::calibration;
std::string_view role_name(Role role);

/// Feature bits. `compatible`: an old reader may ignore it. `readable`: an old reader may read but
/// not write. `incompatible`: an old reader must refuse.
/// Some segment has its refinement in more than one file: an old reader would take one of them for
/// all of it.
inline constexpr std::uint64_t kRefinementInLayers = 1u << 0;
inline constexpr std::uint64_t kKnownIncompatible = kRefinementInLayers;
inline constexpr std::uint64_t kCompatibleCalibration = 1u << 0;  // there is a calibration file
inline constexpr std::uint64_t kKnownReadable = 0;

struct ManifestHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;  // sizeof(ManifestHeader)
  std::uint64_t total_bytes;   // of the whole manifest
  std::uint64_t checksum;      // XXH3-64 of the whole manifest with this field 0
  std::uint64_t sequence;
  std::uint64_t index_id;  // hash of builder, kernels, parameters, seed and input
  std::uint64_t compatible;
  std::uint64_t readable;
  std::uint64_t incompatible;
  std::uint64_t next_file_number;
  std::uint64_t seed;
  std::uint32_t dim;
  std::uint8_t dtype;   // DType
  std::uint8_t metric;  // Metric
  std::uint16_t reserved0;
  std::uint32_t segment_count;
  std::uint32_t extent_count;
  std::uint32_t file_count;
  std::uint32_t reserved1;
  char kernel_path[16];  // of the builder, zero padded
};
static_assert(sizeof(ManifestHeader) == 128);
static_assert(offsetof(ManifestHeader, checksum) == 24 && offsetof(ManifestHeader, dim) == 88);
static_assert(std::has_unique_object_representations_v<ManifestHeader>);

/// One immutable set of vectors. Slots [0, slot_count) divide into extents.
struct SegmentRecord {
  std::uint64_t segment;       // number, ascending in the table, never used again
  std::uint64_t slot_count;    // 1 .. 2^32 - 2
  std::uint64_t vector_count;  // 1 .. slot_count: a segment without vectors is left out
  std::uint64_t edge_count;
  std::uint64_t dropped_edges;  // edges that did not fit their block
  std::uint32_t slots_per_block;
  std::uint32_t block_bytes;  // multiple of 4096
  std::uint32_t degree_max;
  std::uint32_t code_bytes;
  std::uint32_t refine_bytes;  // of all layers; 0: none
  std::uint32_t extent_count;
};
static_assert(sizeof(SegmentRecord) == 64);
static_assert(std::has_unique_object_representations_v<SegmentRecord>);

/// A partition's slots: rewritable alone, with its own codebook version.
struct ExtentRecord {
  std::uint64_t segment;
  std::uint64_t first_slot;
  std::uint64_t slot_count;   // multiple of slots_per_block
  std::uint64_t blocks_file;  // file number
  std::uint64_t first_block;
  std::uint32_t codebook_version;
  std::uint32_t reserved;
};
static_assert(sizeof(ExtentRecord) == 48);
static_assert(std::has_unique_object_representations_v<ExtentRecord>);

struct FileRecord {
  std::uint64_t number;
  std::uint64_t segment;
  std::uint64_t identity;  // seeds every page checksum; unique. Made by file_identity(), but read
                           // from here: a file taken over from another index keeps its own
  std::uint64_t generation;
  std::uint64_t pages;
  std::uint64_t stream_bytes;  // payload bytes of a stream file; 0 for blocks and labels
  std::uint64_t digest;        // XXH3-64 of the page checksums in order
  std::uint32_t page_bytes;
  std::uint16_t role;  // Role
  std::uint16_t reserved;
};
static_assert(sizeof(FileRecord) == 64);
static_assert(std::has_unique_object_representations_v<FileRecord>);

struct Manifest {
  ManifestHeader header{};
  std::vector<SegmentRecord> segments;
  std::vector<ExtentRecord> extents;  // by segment, then first_slot
  std::vector<FileRecord> files;
  /// Files of roles that this build does not know. Readers pass over them; a writer keeps them.
  std::vector<FileRecord> foreign_files;

  DType dtype() const { return static_cast<DType>(header.dtype); }
  Metric metric() const { return static_cast<Metric>(header.metric); }
  /// Null when the segment has no file of that role.
  const FileRecord* find(std::uint64_t segment, Role role) const;
  /// Null when there is none.
  const FileRecord* calibration() const {
    return segments.empty() ? nullptr : find(segments.front().segment, Role::calibration);
  }
  /// The segment's files of one role by ascending number: of refinement, its layers in order.
  std::vector<const FileRecord*> files_of(std::uint64_t segment, Role role) const;
  /// Bytes a slot of a file of refinement in a segment of so many slots, by the length of its
  /// stream; 0 when no layer has that length.
  std::uint32_t layer_bytes(const FileRecord& file, std::uint64_t slot_count) const;
  /// The extents of one segment, by first_slot; empty when there is no such segment.
  std::span<const ExtentRecord> extents_of(std::uint64_t segment) const;
  /// Where things stand in the blocks of `segment`.
  BlockShape block_shape(const SegmentRecord& segment) const;
};

/// "000007.codes"
std::string file_name(std::uint64_t number, Role role);

/// Fills counts, sizes, magic and checksum. The invariants are the caller's: see check_manifest.
std::vector<std::byte> encode_manifest(Manifest manifest);

/// Checks magic, version and feature bits (`unsupported`, naming both), checksum, counts, and every
/// invariant between records. O(bytes).
Result<Manifest> decode_manifest(std::span<const std::byte> bytes);

/// Every invariant between the records, as decode_manifest checks them; a writer calls it before it
/// publishes. O(n log n) in the number of records.
Status check_manifest(const Manifest& manifest);

/// Identity that seeds a file's page checksums.
std::uint64_t file_identity(std::uint64_t index_id, Role role, std::uint64_t number);

}  // namespace cairn::layout
