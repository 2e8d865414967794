#include "tools/formats/vector_writer.h"

#include <algorithm>

#include "tools/formats/vector_reader.h"

namespace cairn::formats {

Result<std::unique_ptr<VectorWriter>> VectorWriter::create(const std::string& path,
                                                           const Shape& shape) {
  CAIRN_ASSIGN(const FileKind kind, kind_of_path(path));
  if (kind.gzip)
    return fail({.code = ErrorCode::unsupported,
                 .what = "write",
                 .file = path,
                 .found = "a .gz name",
                 .expected = "a name without .gz (gzip is only read)"});
  auto header = make_header(kind.format, shape.dtype, shape.dim, shape.count);
  if (!header) return fail(std::move(header.error()).in_file(path));
  CAIRN_ASSIGN(auto file, OutputFile::create(path));
  CAIRN_TRY(file->append(encode_header(*header)));
  return std::unique_ptr<VectorWriter>{new VectorWriter(*header, std::move(file))};
}

Status VectorWriter::write(std::span<const std::byte> rows) {
  const std::size_t step = rows_per_chunk(header_.raw_row_bytes()) * header_.row_bytes();
  for (std::size_t at = 0; at < rows.size(); at += step) {
    const std::span<const std::byte> part = rows.subspan(at, std::min(step, rows.size() - at));
    const std::size_t count = part.size() / header_.row_bytes();
    raw_.resize(count * header_.raw_row_bytes());
    auto encoded = encode_rows(header_, part, written_, raw_);
    if (!encoded) return fail(std::move(encoded.error()).in_file(file_->path()));
    CAIRN_TRY(file_->append(raw_));
    written_ += count;
  }
  return {};
}

Status VectorWriter::finish() {
  if (written_ != header_.count)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "finish",
                 .file = file_->path(),
                 .found = std::to_string(written_) + " vectors",
                 .expected = std::to_string(header_.count)});
  return file_->commit();
}

}  // namespace cairn::formats
