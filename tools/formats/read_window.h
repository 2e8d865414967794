// One region of a file, read through a buffer of its own. Reading on never seeks, nor does it over
// a gap of up to 64 KiB: a seek would give up what was read ahead. A jump reads the buffer anew, so
// that jumps want a small one.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

class ReadWindow {
 public:
  static constexpr std::size_t kBytes = std::size_t{1} << 20;

  /// `name` stands in errors. `bytes`: of the buffer, which grows when more is asked for at once.
  ReadWindow(std::unique_ptr<ByteSource> source, std::string name, std::size_t bytes = kBytes)
      : source_(std::move(source)), name_(std::move(name)), bytes_(bytes) {}

  /// Bytes [offset, offset + count), until the next call. corrupt when the file ends before, io.
  Result<std::span<const std::byte>> at(std::uint64_t offset, std::size_t count);

  /// The same into `into`, of any size, without growing the buffer.
  Status copy(std::uint64_t offset, std::span<std::byte> into);

 private:
  Status fill(std::uint64_t offset, std::size_t count);

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::size_t bytes_;
  std::vector<std::byte> buffer_;
  std::uint64_t first_ = 0;  // offset of what is in the buffer
  std::size_t filled_ = 0;
};

}  // namespace cairn::formats
