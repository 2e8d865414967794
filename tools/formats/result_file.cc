#include "tools/formats/result_file.h"

#include <limits>

#include "tools/formats/bytes.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kHeaderBytes = 8;

std::uint64_t results_of(const ResultHeader& header) {
  return std::uint64_t{header.queries} * header.k;
}

}  // namespace

Result<ResultHeader> decode_result_header(std::span<const std::byte> head,
                                          std::uint64_t file_bytes) {
  const auto malformed = [](std::string found, std::string expected) {
    return fail({.code = ErrorCode::corrupt,
                 .what = "read the header of",
                 .found = std::move(found),
                 .expected = std::move(expected)});
  };
  if (head.size() < kHeaderBytes)
    return malformed(std::to_string(head.size()) + " bytes", "at least 8 (u32 queries, u32 k)");
  const ResultHeader header{.queries = load_u32(head.data()), .k = load_u32(head.data() + 4)};
  if (header.queries == 0 || header.k == 0)
    return malformed(std::to_string(header.queries) + " queries, k " + std::to_string(header.k),
                     "at least 1 of each");
  // Divided, not multiplied: 2^32 * 2^32 * 8 does not fit.
  const std::uint64_t body = file_bytes < kHeaderBytes ? 0 : file_bytes - kHeaderBytes;
  if (body % 8 != 0 || body / 8 != results_of(header))
    return malformed(
        std::to_string(file_bytes) + " bytes",
        "8 + " + std::to_string(header.queries) + " x " + std::to_string(header.k) + " x 8 bytes");
  return header;
}

Result<std::unique_ptr<ResultReader>> ResultReader::open(const std::string& path) {
  CAIRN_ASSIGN(std::unique_ptr<ByteSource> source, open_file(path));
  return from_source(std::move(source), path);
}

Result<std::unique_ptr<ResultReader>> ResultReader::from_source(std::unique_ptr<ByteSource> source,
                                                                std::string name) {
  std::byte head[kHeaderBytes];
  CAIRN_ASSIGN(const std::size_t got, source->read(head));
  auto header = decode_result_header(std::span{head}.first(got), source->bytes().value_or(0));
  if (!header) return fail(std::move(header.error()).in_file(name));
  return std::unique_ptr<ResultReader>{
      new ResultReader(*header, std::move(source), std::move(name))};
}

Status ResultReader::read_at(std::uint64_t offset, std::span<std::byte> into) {
  CAIRN_TRY(source_->seek(offset));
  CAIRN_ASSIGN(const std::size_t got, source_->read(into));
  if (got == into.size()) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "read",
               .file = name_,
               .found = "the end of the file",
               .expected = std::to_string(header_.queries) + " rows, as its header says"});
}

Status ResultReader::read(std::uint32_t query, std::span<std::uint32_t> ids,
                          std::span<float> distances) {
  const std::uint64_t row = kHeaderBytes + std::uint64_t{query} * header_.k * 4;
  CAIRN_TRY(read_at(row, std::as_writable_bytes(ids)));
  CAIRN_TRY(read_at(row + results_of(header_) * 4, std::as_writable_bytes(distances)));
  float before = -std::numeric_limits<float>::infinity();
  for (float distance : distances) {
    if (!(distance >= before))
      return fail(
          {.code = ErrorCode::corrupt,
           .what = "read row " + std::to_string(query) + " of",
           .file = name_,
           .found = "distance " + std::to_string(distance) + " after " + std::to_string(before),
           .expected = "ascending distances"});
    before = distance;
  }
  return {};
}

Result<std::unique_ptr<ResultWriter>> ResultWriter::create(const std::string& path,
                                                           const ResultHeader& header) {
  CAIRN_ASSIGN(auto file, OutputFile::create(path));
  std::byte head[kHeaderBytes];
  store_u32(head, header.queries);
  store_u32(head + 4, header.k);
  CAIRN_TRY(file->append(head));
  return std::unique_ptr<ResultWriter>{new ResultWriter(header, std::move(file))};
}

Status ResultWriter::write(std::span<const std::uint32_t> ids, std::span<const float> distances) {
  constexpr std::size_t kBufferedMax = 1 << 18;
  const std::size_t pad = header_.k - ids.size();
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  ids_.insert(ids_.end(), pad, kNoId);
  distances_.insert(distances_.end(), distances.begin(), distances.end());
  distances_.insert(distances_.end(), pad, std::numeric_limits<float>::infinity());
  if (ids_.size() < kBufferedMax) return {};
  CAIRN_TRY(file_->append(std::as_bytes(std::span{ids_})));
  ids_.clear();
  return {};
}

Status ResultWriter::finish() {
  if (distances_.size() != results_of(header_))
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "finish",
                 .file = file_->path(),
                 .found = std::to_string(distances_.size() / header_.k) + " rows",
                 .expected = std::to_string(header_.queries)});
  CAIRN_TRY(file_->append(std::as_bytes(std::span{ids_})));
  CAIRN_TRY(file_->append(std::as_bytes(std::span{distances_})));
  return file_->commit();
}

}  // namespace cairn::formats
