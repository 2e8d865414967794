#include "tools/vectors.h"

#include <algorithm>
#include <cstring>

namespace cairn::tools {

Result<std::size_t> MemoryRows::read(std::span<std::byte> rows) {
  const std::size_t fits = rows.size() / batch_.row_bytes();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(fits, batch_.count - next_));
  if (count != 0) std::memcpy(rows.data(), batch_.row(next_).data, count * batch_.row_bytes());
  next_ += count;
  return count;
}

Result<Vectors> load_vectors(const std::string& path, Metric metric) {
  CAIRN_ASSIGN(const auto reader, formats::VectorReader::open(path));
  Vectors vectors{path, reader->dtype(), reader->dim(), {}};
  const std::size_t step = formats::rows_per_chunk(reader->row_bytes());
  while (true) {
    const std::uint64_t first = vectors.count();
    const std::uint64_t left = reader->count() - first;
    vectors.bytes.resize((first + std::min<std::uint64_t>(step, left)) * vectors.row_bytes());
    CAIRN_ASSIGN(const std::size_t got,
                 reader->read(std::span{vectors.bytes}.subspan(first * vectors.row_bytes())));
    if (got == 0) return vectors;
    CAIRN_TRY(check_rows({vectors.batch().row(first).data, got, vectors.dim, vectors.dtype}, metric,
                         first, path));
  }
}

Status check_shape(const Vectors& queries, DType dtype, std::uint32_t dim, std::string_view what) {
  if (queries.dtype == dtype && queries.dim == dim) return {};
  const auto shape = [](DType type, std::uint32_t dimension) {
    return std::string{dtype_name(type)} + " of dimension " + std::to_string(dimension);
  };
  return fail({.code = ErrorCode::invalid_argument,
               .what = "search with",
               .file = queries.path,
               .found = shape(queries.dtype, queries.dim),
               .expected = shape(dtype, dim) + ", that of " + std::string{what}});
}

}  // namespace cairn::tools
