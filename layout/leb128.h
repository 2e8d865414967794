// Integers of as many bytes as they need: LEB128 (7 bits a byte, low bits first, the top bit set on
// all bytes but the last), and zigzag for signed ones.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace cairn::layout {

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

inline std::size_t leb_bytes(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

/// Writes leb_bytes(value) bytes and returns their end.
inline std::byte* put_leb(std::byte* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
  *at++ = static_cast<std::byte>(value);
  return at;
}

/// Reads an integer that stands before `end`, moving `at` behind it. False when it does not end
/// there or has more than 64 bits.
inline bool take_leb(const std::byte*& at, const std::byte* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const auto byte = static_cast<std::uint64_t>(*at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace cairn::layout
