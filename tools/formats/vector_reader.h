// Streams the vectors of a file of any supported format. Memory: one buffer of at most 1 MiB (or
// one row), whatever the file.
#pragma once

#include <vector>

#include "tools/formats/byte_source.h"
#include "tools/formats/vector_format.h"

namespace cairn::formats {

/// Not thread-safe.
class VectorReader {
 public:
  /// Checks the name, the header, and the header against the file's size. Errors name the file.
  static Result<std::unique_ptr<VectorReader>> open(const std::string& path,
                                                    PageCache cache = PageCache::keep);
  /// The same over any source; `name` stands in errors.
  static Result<std::unique_ptr<VectorReader>> from_source(Format format,
                                                           std::unique_ptr<ByteSource> source,
                                                           std::string name);

  DType dtype() const { return header_.dtype; }
  std::uint32_t dim() const { return header_.dim; }
  /// What the header says; for gzip it is proved only when the last row is read.
  std::uint64_t count() const { return header_.count; }
  std::size_t row_bytes() const { return header_.row_bytes(); }
  const std::string& path() const { return name_; }
  /// Index of the row that read() gives next.
  std::uint64_t position() const { return position_; }

  /// Fills `rows` with as many whole rows as fit, and returns their number: less than fit only at
  /// the end, then 0. `rows` holds at least one row. corrupt when the file has ended early, has
  /// bytes after its last row, or has a row of another dimension.
  Result<std::size_t> read(std::span<std::byte> rows);

  /// Goes to `row` <= count(). gzip: O(row).
  Status seek(std::uint64_t row);
  Status rewind() { return seek(0); }

 private:
  VectorReader(const VectorHeader& header, std::unique_ptr<ByteSource> source, std::string name)
      : header_(header), source_(std::move(source)), name_(std::move(name)) {}

  Status read_exactly(std::span<std::byte> raw);
  Status read_rows(std::span<std::byte> rows);
  Status check_nothing_follows();

  VectorHeader header_;
  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> raw_;
};

/// Rows of `row_bytes` in a buffer of about 1 MiB; at least 1.
std::size_t rows_per_chunk(std::size_t row_bytes);

}  // namespace cairn::formats
