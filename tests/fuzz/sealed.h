// Puts right checksums on altered pages, so that what lies behind the checksums is reached.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/page_file.h"

namespace cairn::fuzz {

/// Seals every whole page of a file.
inline void seal_pages(std::span<std::byte> bytes, const io::PageFileId& id) {
  for (std::uint64_t page = 0; (page + 1) * id.page_bytes <= bytes.size(); ++page)
    layout::seal_page(bytes.subspan(page * id.page_bytes, id.page_bytes), id.page(page));
}

/// Of the checksums of all whole pages in order, as FORMAT.md has it and apart from io::PageDigest.
inline std::uint64_t digest_of(std::span<const std::byte> bytes, std::size_t page_bytes) {
  std::vector<std::byte> sums;
  for (std::size_t at = 0; at + page_bytes <= bytes.size(); at += page_bytes) {
    const auto sum = bytes.subspan(at, layout::kPageHeaderBytes);
    sums.insert(sums.end(), sum.begin(), sum.end());
  }
  return XXH3_64bits(sums.data(), sums.size());
}

}  // namespace cairn::fuzz
