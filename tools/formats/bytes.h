// Unaligned integer loads and stores in a stated byte order.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cairn::formats {

static_assert(std::endian::native == std::endian::little, "rows are used as they lie in the file");

inline std::uint16_t load_u16(const std::byte* at) {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline std::uint32_t load_u32(const std::byte* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline std::uint64_t load_u64(const std::byte* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline std::uint32_t load_u32_big(const std::byte* at) { return __builtin_bswap32(load_u32(at)); }

inline void store_u32(std::byte* at, std::uint32_t value) { std::memcpy(at, &value, sizeof value); }
inline void store_u32_big(std::byte* at, std::uint32_t value) {
  store_u32(at, __builtin_bswap32(value));
}

}  // namespace cairn::formats
