// A sequential source of untrusted bytes: a regular file, a gzip file (zlib), or memory in tests.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace cairn::formats {

/// Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills `into` from the current position; fewer bytes only at the end.
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
  /// Moves to `offset` of the unpacked bytes. gzip: O(offset).
  virtual Status seek(std::uint64_t offset) = 0;
  /// Size, nullopt for gzip.
  virtual std::optional<std::uint64_t> bytes() const = 0;
};

/// What becomes of the pages that a source has read.
enum class PageCache : std::uint8_t {
  keep,  // the system decides
  drop,  // given back at once: a file larger than memory pushes nothing else out
};

/// Opens a regular file for sequential reading; symbolic links are followed. Errors: not_found, io,
/// invalid_argument (a folder or a pipe).
Result<std::unique_ptr<ByteSource>> open_file(const std::string& path,
                                              PageCache cache = PageCache::keep);

/// Through zlib: a file that is not gzip is corrupt, as is one that ends early.
Result<std::unique_ptr<ByteSource>> open_gzip(const std::string& path,
                                              PageCache cache = PageCache::keep);

}  // namespace cairn::formats
