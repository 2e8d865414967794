// Puts right checksums on altered pages, so that what lies behind the checksums is reached.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "io/page_file.h"

namespace cairn::fuzz {

/// Seals every whole page of a file.
inline void seal_pages(std::span<std::byte> bytes, const io::PageFileId& id) {
  for (std::uint64_t page = 0; (page + 1) * id.page_bytes <= bytes.size(); ++page)
    layout::seal_page(bytes.subspan(page * id.page_bytes, id.page_bytes), id.page(page));
}

/// Whether page `number` of a file has a right checksum, as FORMAT.md has it and apart from
/// layout/page.cc.
inline bool is_sealed(std::span<const std::byte> bytes, const io::PageFileId& id,
                      std::uint64_t number) {
  const auto page = bytes.subspan(number * id.page_bytes, id.page_bytes);
  const std::uint64_t place[3] = {id.identity, number, id.generation};
  const std::uint64_t sum =
      XXH3_64bits_withSeed(page.data() + 8, page.size() - 8, XXH3_64bits(place, sizeof place));
  return std::memcmp(page.data(), &sum, sizeof sum) == 0;
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
