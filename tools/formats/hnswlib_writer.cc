#include "tools/formats/hnswlib_writer.h"

#include <cassert>
#include <cmath>
#include <cstring>

#include "tools/formats/bytes.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{4} << 20;

}  // namespace

Result<std::unique_ptr<HnswlibWriter>> HnswlibWriter::create(const std::string& path,
                                                             const Shape& shape) {
  HnswlibHeader header{};
  header.elements = header.elements_max = shape.elements;
  header.degree = header.degree_max = shape.degree;
  header.degree_max0 = std::uint64_t{2} * shape.degree;
  header.vector_offset = 4 + 4 * header.degree_max0;
  header.label_offset = header.vector_offset + shape.vector_bytes;
  header.element_bytes = header.label_offset + sizeof(Label);
  header.level_max = static_cast<std::int32_t>(shape.level_max);
  header.entry = shape.entry;
  header.level_factor = 1 / std::log(static_cast<double>(shape.degree));
  header.ef_construction = shape.ef_construction;
  CAIRN_ASSIGN(auto file, OutputFile::create(path));
  std::unique_ptr<HnswlibWriter> writer(new HnswlibWriter(header, std::move(file)));
  std::memcpy(writer->room(sizeof header), &header, sizeof header);
  return writer;
}

/// `bytes` zeroes at the end of the buffer.
std::byte* HnswlibWriter::room(std::size_t bytes) {
  buffer_.resize(buffer_.size() + bytes);
  return buffer_.data() + (buffer_.size() - bytes);
}

Status HnswlibWriter::flush_if_full() {
  if (buffer_.size() < kFlushBytes) return {};
  CAIRN_TRY(file_->append(buffer_));
  buffer_.clear();
  return {};
}

void HnswlibWriter::put_list(std::byte* at, std::span<const std::uint32_t> links,
                             std::uint64_t most) {
  assert(links.size() <= most);
  static_cast<void>(most);
  store_u32(at, static_cast<std::uint32_t>(links.size()));
  std::memcpy(at + 4, links.data(), links.size_bytes());
}

Status HnswlibWriter::put(std::span<const std::uint32_t> links, std::span<const std::byte> vector,
                          Label label) {
  assert(vector.size() == header_.label_offset - header_.vector_offset);
  std::byte* const record = room(static_cast<std::size_t>(header_.element_bytes));
  put_list(record, links, header_.degree_max0);
  std::memcpy(record + header_.vector_offset, vector.data(), vector.size());
  std::memcpy(record + header_.label_offset, &label, sizeof label);
  return flush_if_full();
}

Status HnswlibWriter::begin_upper(std::uint32_t levels) {
  store_u32(room(4), static_cast<std::uint32_t>(levels * (4 + 4 * header_.degree_max)));
  return flush_if_full();
}

Status HnswlibWriter::put_upper(std::span<const std::uint32_t> links) {
  put_list(room(static_cast<std::size_t>(4 + 4 * header_.degree_max)), links, header_.degree_max);
  return flush_if_full();
}

Status HnswlibWriter::finish() {
  CAIRN_TRY(file_->append(buffer_));
  buffer_.clear();
  return file_->commit();
}

}  // namespace cairn::formats
