#include "tools/formats/vector_reader.h"

#include <algorithm>

namespace cairn::formats {

std::size_t rows_per_chunk(std::size_t row_bytes) {
  constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  return std::max<std::size_t>(1, kChunkBytes / row_bytes);
}

Result<std::unique_ptr<VectorReader>> VectorReader::open(const std::string& path, PageCache cache) {
  CAIRN_ASSIGN(const FileKind kind, kind_of_path(path));
  CAIRN_ASSIGN(std::unique_ptr<ByteSource> source,
               kind.gzip ? open_gzip(path, cache) : open_file(path, cache));
  return from_source(kind.format, std::move(source), path);
}

Result<std::unique_ptr<VectorReader>> VectorReader::from_source(Format format,
                                                                std::unique_ptr<ByteSource> source,
                                                                std::string name) {
  std::vector<std::byte> head(kHeadBytesMax);
  CAIRN_ASSIGN(const std::size_t head_bytes, source->read(head));
  head.resize(head_bytes);
  auto header = decode_header(format, head, source->bytes());
  if (!header) return fail(std::move(header.error()).in_file(name));
  std::unique_ptr<VectorReader> reader{
      new VectorReader(*header, std::move(source), std::move(name))};
  CAIRN_TRY(reader->rewind());
  return reader;
}

Status VectorReader::seek(std::uint64_t row) {
  if (row > header_.count)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "go to row " + std::to_string(row) + " of",
                 .file = name_,
                 .found = std::to_string(header_.count) + " vectors"});
  CAIRN_TRY(source_->seek(header_.header_bytes + row * header_.raw_row_bytes()));
  position_ = row;
  return {};
}

Result<std::size_t> VectorReader::read(std::span<std::byte> rows) {
  const std::uint64_t left = header_.count - position_;
  const std::size_t fits = rows.size() / header_.row_bytes();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(fits, left));
  if (count == 0) return std::size_t{0};
  CAIRN_TRY(read_rows(rows.first(count * header_.row_bytes())));
  if (position_ == header_.count) CAIRN_TRY(check_nothing_follows());
  return count;
}

Status VectorReader::read_rows(std::span<std::byte> rows) {
  if (header_.coding == Coding::plain && header_.row_prefix_bytes == 0) {
    CAIRN_TRY(read_exactly(rows));
    position_ += rows.size() / header_.row_bytes();
    return {};
  }
  const std::size_t step = rows_per_chunk(header_.raw_row_bytes()) * header_.row_bytes();
  for (std::size_t at = 0; at < rows.size(); at += step) {
    const std::span<std::byte> part = rows.subspan(at, std::min(step, rows.size() - at));
    const std::size_t count = part.size() / header_.row_bytes();
    raw_.resize(count * header_.raw_row_bytes());
    CAIRN_TRY(read_exactly(raw_));
    auto decoded = decode_rows(header_, raw_, position_, part);
    if (!decoded) return fail(std::move(decoded.error()).in_file(name_));
    position_ += count;
  }
  return {};
}

Status VectorReader::read_exactly(std::span<std::byte> raw) {
  CAIRN_ASSIGN(const std::size_t got, source_->read(raw));
  if (got == raw.size()) return {};
  return fail(
      {.code = ErrorCode::corrupt,
       .what = "read row " + std::to_string(position_ + got / header_.raw_row_bytes()) + " of",
       .file = name_,
       .found = "the end of the file",
       .expected = std::to_string(header_.count) + " vectors, as its header says"});
}

/// Only gzip can get here with bytes left: the size of other files was compared when opening.
Status VectorReader::check_nothing_follows() {
  std::byte extra;
  CAIRN_ASSIGN(const std::size_t got, source_->read({&extra, 1}));
  if (got == 0) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "read the end of",
               .file = name_,
               .found = "more bytes",
               .expected = std::to_string(header_.count) + " vectors, as its header says"});
}

}  // namespace cairn::formats
