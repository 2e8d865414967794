#include "tools/formats/faiss_file.h"

#include <algorithm>
#include <cstdio>

#include "tools/formats/index_checks.h"

namespace cairn::formats::faiss {

Result<File> File::open(OpenSource open, std::string name) {
  CAIRN_ASSIGN(const auto source, open());
  File file;
  file.open_ = std::move(open);
  file.name_ = std::move(name);
  CAIRN_ASSIGN(file.bytes_, known_bytes(*source, file.name_));
  return file;
}

Result<ReadWindow> File::window(std::size_t bytes) const {
  CAIRN_ASSIGN(auto source, open_());
  const std::uint64_t most = std::max<std::uint64_t>(1, std::min<std::uint64_t>(bytes, bytes_));
  return ReadWindow(std::move(source), name_, static_cast<std::size_t>(most));
}

tl::unexpected<Error> File::corrupt(std::string what, std::string found,
                                    std::string expected) const {
  return fail({.code = ErrorCode::corrupt,
               .what = std::move(what),
               .file = name_,
               .found = std::move(found),
               .expected = std::move(expected)});
}

tl::unexpected<Error> File::unsupported(std::string what, std::string found,
                                        std::string expected) const {
  return fail({.code = ErrorCode::unsupported,
               .what = std::move(what),
               .file = name_,
               .found = std::move(found),
               .expected = std::move(expected)});
}

std::string shown(FourCC code) {
  std::string text = "'";
  for (int i = 0; i < 4; ++i) {
    const auto c = static_cast<char>(code >> (8 * i) & 0xff);
    if (c < ' ' || c > '~') {
      char hex[11];
      std::snprintf(hex, sizeof hex, "0x%08x", code);
      return hex;
    }
    text += c;
  }
  return text + "'";
}

Result<Cursor> Cursor::start(const File& file) {
  constexpr std::size_t kWindowBytes = std::size_t{64} << 10;
  CAIRN_ASSIGN(ReadWindow window, file.window(kWindowBytes));
  return Cursor(file, std::move(window));
}

Result<Region> Cursor::skip(std::uint64_t count, std::uint64_t item_bytes, std::string_view what) {
  const std::uint64_t left = file_->bytes() - std::min(at_, file_->bytes());
  if (item_bytes != 0 && count > left / item_bytes)
    return file_->corrupt("read " + std::string(what) + " of",
                          std::to_string(count) + " of " + std::to_string(item_bytes) +
                              " bytes at byte " + std::to_string(at_),
                          "at most the " + std::to_string(left) + " bytes that are left");
  const Region region{at_, count};
  at_ += count * item_bytes;
  return region;
}

Result<Region> Cursor::skip_vector(std::uint64_t item_bytes, std::string_view what) {
  CAIRN_ASSIGN(const auto count, take<std::uint64_t>());
  return skip(count, item_bytes, what);
}

}  // namespace cairn::formats::faiss
