#include "layout/page.h"

#include <xxhash.h>

#include <cstdio>
#include <cstring>

namespace cairn::layout {
namespace {

std::string hex(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "checksum %016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

std::uint64_t page_checksum(std::span<const std::byte> page, const PageId& id) {
  const std::uint64_t place[3] = {id.identity, id.page, id.generation};
  const std::uint64_t seed = XXH3_64bits(place, sizeof place);
  return XXH3_64bits_withSeed(page.data() + kPageHeaderBytes, page.size() - kPageHeaderBytes, seed);
}

void seal_page(std::span<std::byte> page, const PageId& id) {
  const std::uint64_t sum = page_checksum(page, id);
  std::memcpy(page.data(), &sum, sizeof sum);
}

Status check_page(std::span<const std::byte> page, const PageId& id) {
  if (page.size() < kPageBytes || page.size() % kPageBytes != 0)
    return fail({.code = ErrorCode::corrupt,
                 .what = "check page",
                 .block = id.page,
                 .found = std::to_string(page.size()) + " bytes",
                 .expected = "a multiple of 4096"});
  std::uint64_t stored = 0;
  std::memcpy(&stored, page.data(), sizeof stored);
  const std::uint64_t sum = page_checksum(page, id);
  if (stored == sum) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "check page",
               .block = id.page,
               .found = hex(stored),
               .expected = hex(sum)});
}

}  // namespace cairn::layout
