#include "tools/vectors.h"

#include <algorithm>

namespace cairn::tools {

Result<Vectors> load_vectors(const std::string& path, Metric metric) {
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(path));
  Vectors vectors{path, reader->dtype(), reader->dim(), {}};
  const std::size_t step = formats::rows_per_chunk(reader->row_bytes());
  while (true) {
    const std::uint64_t first = vectors.count();
    const std::uint64_t left = reader->count() - first;
    vectors.bytes.resize((first + std::min<std::uint64_t>(step, left)) * vectors.row_bytes());
    CAIRN_ASSIGN(const std::size_t got,
                 read_checked(*reader, metric,
                              std::span{vectors.bytes}.subspan(first * vectors.row_bytes())));
    if (got == 0) return vectors;
  }
}

Status check_range(std::uint64_t first, std::size_t bytes, std::size_t labels,
                   std::size_t row_bytes, std::uint64_t count, bool labelled) {
  const std::uint64_t rows = bytes / row_bytes;
  if (bytes % row_bytes == 0 && first <= count && rows <= count - first &&
      labels == (labelled ? rows : 0))
    return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read rows from " + std::to_string(first),
               .found = std::to_string(bytes) + " bytes and " + std::to_string(labels) + " labels",
               .expected = "whole rows of " + std::to_string(row_bytes) + " bytes among " +
                           std::to_string(count)});
}

Result<std::size_t> read_checked(formats::VectorReader& reader, Metric metric,
                                 std::span<std::byte> rows) {
  const std::uint64_t first = reader.position();
  CAIRN_ASSIGN(const std::size_t count, reader.read(rows));
  CAIRN_TRY(search::check_rows({rows.data(), count, reader.dim(), reader.dtype()}, metric, first,
                               reader.path()));
  return count;
}

Status check_shape(const std::string& path, const Shape& vectors, const Shape& expected,
                   std::string_view what, std::string_view doing) {
  if (vectors.dtype == expected.dtype && vectors.dim == expected.dim) return {};
  const auto words = [](const Shape& shape) {
    return std::string{dtype_name(shape.dtype)} + " of dimension " + std::to_string(shape.dim);
  };
  return fail({.code = ErrorCode::invalid_argument,
               .what = std::string{doing},
               .file = path,
               .found = words(vectors),
               .expected = words(expected) + ", that of " + std::string{what}});
}

}  // namespace cairn::tools
