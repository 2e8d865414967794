// decode_manifest on any bytes. The first byte's lowest bit asks for a repaired envelope (magic,
// version, sizes, feature bits, checksum), so that what lies behind it is reached.
#include "layout/manifest.h"

#include "layout/segment_map.h"
#include "tests/fuzz/fuzz.h"
#include "tests/layout/reseal.h"

namespace {

using namespace cairn;
using namespace cairn::layout;

void repair(std::vector<std::byte>& bytes) {
  if (bytes.size() < sizeof(ManifestHeader)) bytes.resize(sizeof(ManifestHeader));
  ManifestHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.magic = kManifestMagic;
  header.version = kManifestVersion;
  header.header_bytes = sizeof header;
  header.total_bytes = bytes.size();
  header.incompatible &= kKnownIncompatible;
  std::memcpy(bytes.data(), &header, sizeof header);
  reseal_manifest(bytes);
}

void check_map(const Manifest& manifest, const SegmentRecord& segment) {
  const SegmentMap map(segment, manifest.extents_of(segment.segment));
  const std::uint64_t last = segment.slot_count - 1;
  for (const std::uint64_t slot : {std::uint64_t{0}, last / 3, last / 2, last}) {
    const Place place = map.locate(slot);
    FUZZ_REQUIRE(place.place < segment.slots_per_block);
    const auto first = map.first_slot_of(place.file_number, place.block);
    FUZZ_REQUIRE(first && *first + place.place == slot);
    for (const FileRecord& file : manifest.files)
      if (file.number == place.file_number) FUZZ_REQUIRE(place.block < file.pages);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool whole = (input.take<std::uint8_t>() & 1) != 0;
  std::vector<std::byte> bytes(input.rest().begin(), input.rest().end());
  if (whole) repair(bytes);
  const auto manifest = decode_manifest(bytes);
  if (!manifest) {
    FUZZ_REQUIRE(!manifest.error().found.empty() && !manifest.error().expected.empty());
    return 0;
  }
  // Files of unknown roles are kept, at the end of the table.
  const auto encoded = encode_manifest(*manifest);
  FUZZ_REQUIRE(encoded.size() == bytes.size());
  FUZZ_REQUIRE(!manifest->foreign_files.empty() || encoded == bytes);
  FUZZ_REQUIRE(check_manifest(*manifest));
  for (const SegmentRecord& segment : manifest->segments) {
    FUZZ_REQUIRE(manifest->block_shape(segment).valid());
    FUZZ_REQUIRE(manifest->find(segment.segment, Role::blocks) != nullptr);
    FUZZ_REQUIRE(manifest->find(segment.segment, Role::codes) != nullptr);
    std::uint64_t refined = 0;
    for (const FileRecord* layer : manifest->files_of(segment.segment, Role::refine))
      refined += manifest->layer_bytes(*layer, segment.slot_count);
    FUZZ_REQUIRE(refined == segment.refine_bytes);
    check_map(*manifest, segment);
  }
  return 0;
}
