// The sealed page: the unit in which every file of an index is checked. A page is a multiple of
// 4 KiB whose first 8 bytes are an XXH3-64 of the rest, seeded with where the page belongs, so that
// a page of another file, another place or another generation does not pass. See FORMAT.md, Pages.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::layout {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageHeaderBytes = 8;
inline constexpr std::size_t kPagePayloadBytes = kPageBytes - kPageHeaderBytes;

/// Where a page belongs. `identity` is the file's, from the manifest.
struct PageId {
  std::uint64_t identity = 0;
  std::uint64_t page = 0;
  std::uint64_t generation = 0;
};

/// Checksum of the bytes after the page header. O(page.size()), 0.4-1.2 us for 4 KiB.
std::uint64_t page_checksum(std::span<const std::byte> page, const PageId& id);

/// Writes the checksum into the first 8 bytes of `page`.
void seal_page(std::span<std::byte> page, const PageId& id);

/// ErrorCode::corrupt with the block number, the checksum found and the one expected.
Status check_page(std::span<const std::byte> page, const PageId& id);

}  // namespace cairn::layout
