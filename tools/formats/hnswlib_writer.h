// Writes a file as hnswlib's saveIndex does, element by element; see hnswlib_reader.h for its form.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tools/formats/hnswlib_reader.h"
#include "tools/formats/output_file.h"

namespace cairn::formats {

/// First put() for every element, then for every element begin_upper() and as many put_upper() as
/// it has levels above 0, then finish(). The file appears whole. Not thread-safe.
class HnswlibWriter {
 public:
  struct Shape {
    std::uint64_t elements = 0;  // at least 1
    std::size_t vector_bytes = 0;
    std::uint32_t degree = 0;  // M, at least 2
    std::uint32_t level_max = 0;
    std::uint32_t entry = 0;
    std::uint32_t ef_construction = 0;
  };
  static Result<std::unique_ptr<HnswlibWriter>> create(const std::string& path, const Shape& shape);

  /// At most 2 M links.
  Status put(std::span<const std::uint32_t> links, std::span<const std::byte> vector, Label label);
  Status begin_upper(std::uint32_t levels);
  /// At most M links.
  Status put_upper(std::span<const std::uint32_t> links);
  Status finish();

 private:
  HnswlibWriter(const HnswlibHeader& header, std::unique_ptr<OutputFile> file)
      : header_(header), file_(std::move(file)) {}
  std::byte* room(std::size_t bytes);
  Status flush_if_full();
  void put_list(std::byte* at, std::span<const std::uint32_t> links, std::uint64_t most);

  HnswlibHeader header_;
  std::unique_ptr<OutputFile> file_;
  std::vector<std::byte> buffer_;
};

}  // namespace cairn::formats
