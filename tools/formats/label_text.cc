#include "tools/formats/label_text.h"

#include <algorithm>
#include <charconv>

namespace cairn::formats {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kLineBytesMax = 64;  // 2^64 - 1 has 20 digits

}  // namespace

Status LabelText::fetch() {
  piece_.resize(kPieceBytes);
  CAIRN_ASSIGN(const std::size_t got, source_->read(std::as_writable_bytes(std::span{piece_})));
  piece_.resize(got);
  at_ = 0;
  return {};
}

Result<bool> LabelText::next_line() {
  text_line_.clear();
  bool any = false;
  while (true) {
    if (at_ == piece_.size()) CAIRN_TRY(fetch());
    if (piece_.empty()) return any;  // the last line needs no end
    any = true;
    const std::size_t end = std::min(piece_.find('\n', at_), piece_.size());
    text_line_.append(piece_, at_, std::min(end - at_, kLineBytesMax + 1 - text_line_.size()));
    const bool whole = end < piece_.size();
    offset_ += end - at_ + (whole ? 1 : 0);
    at_ = end + (whole ? 1 : 0);
    if (whole || text_line_.size() > kLineBytesMax) return true;
  }
}

Result<Label> LabelText::parse() const {
  std::string_view digits = text_line_;
  if (digits.ends_with('\r')) digits.remove_suffix(1);
  Label label = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), label);
  if (text_line_.size() <= kLineBytesMax && error == std::errc{} &&
      end == digits.data() + digits.size())
    return label;
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read labels",
               .file = name_,
               .found = "line " + std::to_string(line_ + 1) + " '" +
                        std::string(digits.substr(0, 40)) + '\'',
               .expected = "a whole number below 2^64"});
}

Result<std::size_t> LabelText::read(std::span<Label> labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CAIRN_ASSIGN(const bool more, next_line());
    if (!more) return i;
    CAIRN_ASSIGN(labels[i], parse());
    ++line_;
  }
  return labels.size();
}

}  // namespace cairn::formats
