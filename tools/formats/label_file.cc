#include "tools/formats/label_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "tools/formats/bytes.h"

namespace cairn::formats {
namespace {

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kLineBytesMax = 64;  // 2^64 - 1 has 20 digits

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

/// Collects the lines of a text.
class TextLabels {
 public:
  TextLabels(std::uint64_t count, const std::string& name) : count_(count), name_(name) {}

  /// The next piece of the text, wherever it was cut.
  Status add(std::string_view piece) {
    while (!piece.empty()) {
      const std::size_t end = piece.find('\n');
      line_ += piece.substr(0, std::min(end, kLineBytesMax + 1));
      if (end == std::string_view::npos && line_.size() <= kLineBytesMax) return {};
      CAIRN_TRY(end_line());
      piece.remove_prefix(end + 1);
    }
    return {};
  }

  Result<std::vector<Label>> finish() {
    if (!line_.empty()) CAIRN_TRY(end_line());  // the last needs no line end
    if (labels_.size() == count_) return std::move(labels_);
    return bad(name_, std::to_string(labels_.size()) + " labels", std::to_string(count_));
  }

 private:
  Status end_line() {
    std::string_view digits = line_;
    if (digits.ends_with('\r')) digits.remove_suffix(1);
    Label label = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), label);
    if (line_.size() > kLineBytesMax || error != std::errc{} ||
        end != digits.data() + digits.size())
      return bad(name_,
                 "line " + std::to_string(labels_.size() + 1) + " '" +
                     std::string(digits.substr(0, 40)) + '\'',
                 "a whole number below 2^64");
    if (labels_.size() == count_)
      return bad(name_, "more than " + std::to_string(count_) + " lines", "one a vector");
    labels_.push_back(label);
    line_.clear();
    return {};
  }

  std::uint64_t count_;
  const std::string& name_;
  std::string line_;
  std::vector<Label> labels_;
};

Result<std::vector<Label>> read_text(ByteSource& source, std::uint64_t count,
                                     const std::string& name) {
  constexpr std::size_t kPieceBytes = 64 * 1024;
  TextLabels labels(count, name);
  std::string piece(kPieceBytes, '\0');
  while (true) {
    CAIRN_ASSIGN(const std::size_t got, source.read(std::as_writable_bytes(std::span{piece})));
    if (got == 0) return labels.finish();
    CAIRN_TRY(labels.add(std::string_view{piece}.substr(0, got)));
  }
}

LabelCoding coding_of(const std::string& path) {
  return path.ends_with(".u64bin") ? LabelCoding::u64bin : LabelCoding::text;
}

}  // namespace

Result<LabelReader> LabelReader::open(const std::string& path, std::uint64_t count) {
  LabelReader reader(path, count);
  if (coding_of(path) == LabelCoding::u64bin) {
    CAIRN_TRY(reader.open_binary());
  } else {
    CAIRN_ASSIGN(reader.text_, read_labels(path, count));
  }
  return reader;
}

Status LabelReader::open_binary() {
  CAIRN_ASSIGN(source_, open_file(path_, PageCache::drop));
  return check_binary(*source_, count_, path_);
}

Status LabelReader::read(std::uint64_t first, std::span<Label> labels) {
  if (coding_of(path_) == LabelCoding::text) {
    const auto from = std::span<const Label>{text_}.subspan(first, labels.size());
    std::copy(from.begin(), from.end(), labels.begin());
    return {};
  }
  if (!source_) CAIRN_TRY(open_binary());
  CAIRN_TRY(source_->seek(kHeaderBytes + first * sizeof(Label)));
  return fill(*source_, first, count_, path_, labels);
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
