#include "tools/formats/read_window.h"

#include <algorithm>
#include <cstring>

namespace cairn::formats {

Result<std::span<const std::byte>> ReadWindow::at(std::uint64_t offset, std::size_t count) {
  if (offset < first_ || offset - first_ > filled_ || count > filled_ - (offset - first_))
    CAIRN_TRY(fill(offset, count));
  return std::span<const std::byte>(buffer_).subspan(static_cast<std::size_t>(offset - first_),
                                                     count);
}

Status ReadWindow::copy(std::uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const std::size_t count = std::min(into.size(), bytes_);
    CAIRN_ASSIGN(const auto part, at(offset, count));
    std::memcpy(into.data(), part.data(), count);
    offset += count;
    into = into.subspan(count);
  }
  return {};
}

/// What is there of the wanted bytes moves to the front, and reading goes on behind it.
Status ReadWindow::fill(std::uint64_t offset, std::size_t count) {
  constexpr std::uint64_t kGapBytes = std::uint64_t{64} << 10;
  const std::uint64_t end = first_ + filled_;
  const std::size_t kept =
      offset >= first_ && offset < end ? static_cast<std::size_t>(end - offset) : 0;
  const bool over_gap = offset > end && offset - end <= kGapBytes;
  const std::uint64_t begin = over_gap ? end : offset;
  const std::size_t wanted = static_cast<std::size_t>(offset - begin) + count;
  buffer_.resize(std::max({buffer_.size(), bytes_, wanted}));
  if (kept != 0) std::memmove(buffer_.data(), buffer_.data() + (filled_ - kept), kept);
  first_ = begin;
  filled_ = kept;
  CAIRN_TRY(source_->seek(begin + kept));
  CAIRN_ASSIGN(const std::size_t got, source_->read(std::span(buffer_).subspan(kept)));
  filled_ += got;
  if (filled_ >= wanted) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "read",
               .file = name_,
               .found = "its end at byte " + std::to_string(begin + filled_),
               .expected = std::to_string(count) + " bytes at " + std::to_string(offset)});
}

}  // namespace cairn::formats
