// A FAISS index file as its decoder reads it: fields one after the other, little-endian, without
// padding, and of long vectors only where they lie. No count is believed before it was compared
// with the bytes that are left (faiss/impl/index_read.cpp, io_macros.h of FAISS 1.7.3).
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tools/formats/index_reader.h"
#include "tools/formats/read_window.h"

namespace cairn::formats::faiss {

/// `count` items that follow each other from byte `offset`, inside the file.
struct Region {
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
};

class File {
 public:
  /// unsupported when the source does not know its size: nothing could be compared with it.
  static Result<File> open(OpenSource open, std::string name);

  std::uint64_t bytes() const { return bytes_; }
  const std::string& name() const { return name_; }

  /// A window of its own, no larger than the file.
  Result<ReadWindow> window(std::size_t bytes = ReadWindow::kBytes) const;

  tl::unexpected<Error> corrupt(std::string what, std::string found, std::string expected) const;
  tl::unexpected<Error> unsupported(std::string what, std::string found,
                                    std::string expected) const;

 private:
  File() = default;

  OpenSource open_;
  std::string name_;
  std::uint64_t bytes_ = 0;
};

/// Four bytes that name what follows, as their first one stands lowest.
using FourCC = std::uint32_t;

constexpr FourCC fourcc(const char (&text)[5]) {
  FourCC value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(text[i]);
  return value;
}
/// "'IxF2'", or hexadecimal when it is not text.
std::string shown(FourCC code);

/// Reads a file from its front to its end.
class Cursor {
 public:
  static Result<Cursor> start(const File& file);

  const File& file() const { return *file_; }
  std::uint64_t position() const { return at_; }

  template <class T>
  Result<T> take() {
    static_assert(std::is_arithmetic_v<T>);
    CAIRN_ASSIGN(const auto bytes, window_.at(at_, sizeof(T)));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    at_ += sizeof value;
    return value;
  }

  /// Goes over `count` items of `item_bytes` each. `what` names them in errors.
  Result<Region> skip(std::uint64_t count, std::uint64_t item_bytes, std::string_view what);
  /// The same with the count in front of them, u64.
  Result<Region> skip_vector(std::uint64_t item_bytes, std::string_view what);

  /// A vector that is kept: its memory is at most what it takes in the file.
  template <class T>
  Result<std::vector<T>> take_vector(std::string_view what) {
    CAIRN_ASSIGN(const Region region, skip_vector(sizeof(T), what));
    std::vector<T> items(static_cast<std::size_t>(region.count));
    CAIRN_TRY(window_.copy(region.offset, std::as_writable_bytes(std::span(items))));
    return items;
  }

 private:
  Cursor(const File& file, ReadWindow window) : file_(&file), window_(std::move(window)) {}

  const File* file_;
  ReadWindow window_;
  std::uint64_t at_ = 0;
};

}  // namespace cairn::formats::faiss
