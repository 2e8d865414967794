#include "tools/formats/label_file.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "tools/formats/bytes.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kMarkLines = 65536;

tl::unexpected<Error> bad(const std::string& name, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read labels",
               .file = name,
               .found = std::move(found),
               .expected = std::move(expected)});
}

/// Header and size, before anything is allocated by a count; the source stands at the first label.
Status check_binary(ByteSource& source, std::uint64_t count, const std::string& name) {
  std::array<std::byte, kHeaderBytes> head = {};
  CAIRN_ASSIGN(const std::size_t head_bytes, source.read(head));
  const std::uint32_t rows = load_u32(head.data()), columns = load_u32(head.data() + 4);
  if (head_bytes < kHeaderBytes || rows != count || columns != 1)
    return bad(name,
               head_bytes < kHeaderBytes
                   ? std::to_string(head_bytes) + " bytes"
                   : "a header of " + std::to_string(rows) + " x " + std::to_string(columns),
               "a header of " + std::to_string(count) + " x 1 (two u32)");
  const std::uint64_t expected_bytes = kHeaderBytes + count * sizeof(Label);
  const std::uint64_t bytes = source.bytes().value_or(expected_bytes);
  if (bytes == expected_bytes) return {};
  return bad(name, std::to_string(bytes) + " bytes", std::to_string(expected_bytes) + " bytes");
}

/// Labels [first, first + labels.size()) of `count`, at which the source stands.
Status fill(ByteSource& source, std::uint64_t first, std::uint64_t count, const std::string& name,
            std::span<Label> labels) {
  CAIRN_ASSIGN(const std::size_t got, source.read(std::as_writable_bytes(labels)));
  if (got == labels.size_bytes()) return {};
  return bad(name,
             "the end of the file after " +
                 std::to_string(kHeaderBytes + first * sizeof(Label) + got) + " bytes",
             std::to_string(kHeaderBytes + count * sizeof(Label)) + " bytes");
}

Result<std::vector<Label>> read_binary(ByteSource& source, std::uint64_t count,
                                       const std::string& name) {
  CAIRN_TRY(check_binary(source, count, name));
  std::vector<Label> labels(count);
  CAIRN_TRY(fill(source, 0, count, name, labels));
  return labels;
}

/// Hands on all labels of a text, `kMarkLines` at a time with where they begin, once it is sure
/// that there are no more than `count`.
template <class Take>
Status read_whole_text(ByteSource& source, std::uint64_t count, const std::string& name,
                       const Take& take) {
  LabelText text(source, name);
  std::vector<Label> part(kMarkLines);
  while (true) {
    const std::uint64_t offset = text.offset();
    const std::uint64_t left = count - text.line();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kMarkLines, left));
    // One more at the end: is there one?
    CAIRN_ASSIGN(const std::size_t got,
                 text.read(std::span(part).first(std::max<std::size_t>(1, wanted))));
    if (got > wanted)
      return bad(name, "more than " + std::to_string(count) + " lines", "one a vector");
    if (got == 0 && left == 0) return {};
    if (got < wanted)
      return bad(name, std::to_string(text.line()) + " labels", std::to_string(count));
    take(offset, std::span<const Label>(part).first(got));
  }
}

Result<std::vector<Label>> read_text(ByteSource& source, std::uint64_t count,
                                     const std::string& name) {
  std::vector<Label> labels;
  CAIRN_TRY(read_whole_text(source, count, name, [&](std::uint64_t, std::span<const Label> part) {
    labels.insert(labels.end(), part.begin(), part.end());
  }));
  return labels;
}

LabelCoding coding_of(const std::string& path) {
  return path.ends_with(".u64bin") ? LabelCoding::u64bin : LabelCoding::text;
}

}  // namespace

Result<LabelReader> LabelReader::open(const std::string& path, std::uint64_t count) {
  LabelReader reader(path, count);
  if (coding_of(path) == LabelCoding::text) CAIRN_TRY(reader.index_text());
  CAIRN_TRY(reader.open_source());
  return reader;
}

Status LabelReader::open_source() {
  CAIRN_ASSIGN(source_, open_file(path_, PageCache::drop));
  return coding_of(path_) == LabelCoding::text ? Status{} : check_binary(*source_, count_, path_);
}

Status LabelReader::index_text() {
  CAIRN_ASSIGN(const auto source, open_file(path_, PageCache::drop));
  return read_whole_text(*source, count_, path_, [&](std::uint64_t offset, std::span<const Label>) {
    marks_.push_back(offset);
  });
}

void LabelReader::close() {
  text_.reset();
  source_.reset();
}

Status LabelReader::read(std::uint64_t first, std::span<Label> labels) {
  if (labels.empty()) return {};
  if (!source_) CAIRN_TRY(open_source());
  if (coding_of(path_) == LabelCoding::text) return read_text(first, labels);
  CAIRN_TRY(source_->seek(kHeaderBytes + first * sizeof(Label)));
  return fill(*source_, first, count_, path_, labels);
}

Status LabelReader::read_text(std::uint64_t first, std::span<Label> labels) {
  if (!text_ || text_->line() != first) {
    const std::uint64_t mark = first / kMarkLines;
    CAIRN_TRY(source_->seek(marks_[mark]));
    text_.emplace(*source_, path_, mark * kMarkLines, marks_[mark]);
    std::vector<Label> skipped(first - text_->line());
    CAIRN_TRY(text_->read(skipped));
  }
  CAIRN_ASSIGN(const std::size_t got, text_->read(labels));
  if (got == labels.size()) return {};
  return bad(path_, "the end of the file after line " + std::to_string(text_->line()),
             std::to_string(count_) + " labels");
}

Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count) {
  CAIRN_ASSIGN(const auto source, open_file(path));
  return read_labels(*source, coding_of(path), count, path);
}

Result<std::vector<Label>> read_labels(ByteSource& source, LabelCoding coding, std::uint64_t count,
                                       const std::string& name) {
  return coding == LabelCoding::u64bin ? read_binary(source, count, name)
                                       : read_text(source, count, name);
}

}  // namespace cairn::formats
