// The one bounds-checked cursor that every decoder reads through. Counts are compared with what
// remains before anything is allocated or copied; nothing here can overflow or read past the end.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace cairn::layout {

class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view name)
      : bytes_(bytes), name_(name) {}

  std::size_t remaining() const { return bytes_.size() - at_; }
  std::size_t position() const { return at_; }

  /// Copies one trivially copyable structure out.
  template <class T>
  Result<T> take() {
    static_assert(std::is_trivially_copyable_v<T>);
    if (remaining() < sizeof(T)) return short_of(1, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  /// Copies `count` structures; fails before it allocates if they cannot be there.
  template <class T>
  Result<std::vector<T>> take_many(std::uint64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count > remaining() / sizeof(T)) return short_of(count, sizeof(T));
    std::vector<T> values(static_cast<std::size_t>(count));
    if (count != 0) std::memcpy(values.data(), bytes_.data() + at_, values.size() * sizeof(T));
    at_ += values.size() * sizeof(T);
    return values;
  }

  Result<std::span<const std::byte>> take_span(std::uint64_t count) {
    if (count > remaining()) return short_of(count, 1);
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += part.size();
    return part;
  }

 private:
  tl::unexpected<Error> short_of(std::uint64_t count, std::size_t each) const {
    return fail({.code = ErrorCode::corrupt,
                 .what = "decode " + std::string(name_),
                 .found = std::to_string(remaining()) + " bytes at offset " + std::to_string(at_),
                 .expected = std::to_string(count) + " x " + std::to_string(each) + " bytes"});
  }

  std::span<const std::byte> bytes_;
  std::string_view name_;
  std::size_t at_ = 0;
};

/// `corrupt` with what was found and expected, for a decoder named `name`.
inline tl::unexpected<Error> malformed(std::string_view name, std::string found,
                                       std::string expected) {
  return fail({.code = ErrorCode::corrupt,
               .what = "decode " + std::string(name),
               .found = std::move(found),
               .expected = std::move(expected)});
}

}  // namespace cairn::layout
