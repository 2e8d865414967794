// Puts a right checksum on an altered manifest, so that what lies behind the checksum is reached.
// Written against FORMAT.md, apart from the encoder.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cairn::layout {

/// `bytes`: at least the 128 of a manifest's header.
inline void reseal_manifest(std::span<std::byte> bytes) {
  std::memset(bytes.data() + 24, 0, 8);
  const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size());
  std::memcpy(bytes.data() + 24, &sum, sizeof sum);
}

}  // namespace cairn::layout
