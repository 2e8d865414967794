// Streams vectors into a new file of any supported format (gzip excepted). The count is stated
// first, since headers precede rows; the file appears only when finish() found it kept.
#pragma once

#include "tools/formats/output_file.h"
#include "tools/formats/vector_format.h"

namespace cairn::formats {

/// Not thread-safe.
class VectorWriter {
 public:
  struct Shape {
    DType dtype = DType::f32;
    std::uint32_t dim = 0;
    std::uint64_t count = 0;
  };

  /// The format is that of the name. Errors: invalid_argument (extension, a dtype that the format
  /// cannot hold), and the file system's.
  static Result<std::unique_ptr<VectorWriter>> create(const std::string& path, const Shape& shape);

  /// Appends whole rows, dense.
  Status write(std::span<const std::byte> rows);
  /// Publishes the file; invalid_argument when fewer or more rows came than stated.
  Status finish();

 private:
  VectorWriter(const VectorHeader& header, std::unique_ptr<OutputFile> file)
      : header_(header), file_(std::move(file)) {}

  VectorHeader header_;
  std::unique_ptr<OutputFile> file_;
  std::uint64_t written_ = 0;
  std::vector<std::byte> raw_;
};

}  // namespace cairn::formats
