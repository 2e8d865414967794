// Bytes of small vector files, written by hand so that the code under test is not its own judge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::formats {

using Bytes = std::vector<std::byte>;

/// Builds a file piece by piece.
class Sample {
 public:
  Sample& u8(unsigned value) {
    bytes_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Sample& u16(unsigned value) { return u8(value & 0xff).u8(value >> 8); }
  Sample& u32(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) u8(value >> shift & 0xff);
    return *this;
  }
  Sample& u32_big(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) u8(value >> shift & 0xff);
    return *this;
  }
  Sample& u64(std::uint64_t value) {
    return u32(static_cast<std::uint32_t>(value)).u32(static_cast<std::uint32_t>(value >> 32));
  }
  Sample& f64(double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return u64(bits);
  }
  Sample& f32(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return u32(bits);
  }
  Sample& text(std::string_view value) {
    for (char c : value) u8(static_cast<unsigned char>(c));
    return *this;
  }
  Sample& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  Sample& append(const Bytes& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// NumPy's header of the given version around a dictionary, not padded.
inline Sample npy(unsigned major, std::string_view dictionary) {
  Sample sample;
  sample.u8(0x93).text("NUMPY").u8(major).u8(0);
  const auto length = static_cast<std::uint32_t>(dictionary.size());
  if (major == 1) {
    sample.u8(length & 0xff).u8(length >> 8);
  } else {
    sample.u32(length);
  }
  return sample.text(dictionary);
}

}  // namespace cairn::formats
