#include "io/stream_load.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/os_error.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kReads = 4;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

/// Pages of one range, in one read.
struct Piece {
  std::size_t range = 0;
  std::uint64_t first_page = 0;
  std::size_t pages = 0;
};

class StreamLoad {
 public:
  explicit StreamLoad(std::span<const StreamRange> ranges) : ranges_(ranges) {}
  Status open(Fs& fs, DeviceOptions options);
  Status run();

 private:
  bool more() const { return range_ < ranges_.size(); }
  Piece take_piece();
  Status submit(std::uint32_t buffer);
  Status finish(const ReadDone& done);
  std::span<std::byte> bytes_of(std::uint32_t buffer, std::size_t bytes) const {
    return reads_.memory.bytes().subspan(buffer * buffer_bytes_, bytes);
  }

  std::span<const StreamRange> ranges_;
  std::size_t buffer_bytes_ = kReadBytes;
  std::size_t range_ = 0;   // of the next piece
  std::size_t loaded_ = 0;  // bytes of that range in pieces already taken
  std::array<Piece, kReads> pieces_;
  std::array<ReadDone, kReads> done_;
  DeviceMemory reads_;
};

Status check_range(const StreamRange& range) {
  const std::uint64_t most = range.file->bytes() / range.id.page_bytes * range.id.payload_bytes();
  if (range.offset <= most && range.into.size() <= most - range.offset) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "load of " + std::to_string(range.into.size()) + " bytes at " +
                       std::to_string(range.offset) + " of the stream of",
               .file = range.file->path(),
               .found = "pages for " + std::to_string(most) + " bytes"});
}

// The file of a range is its number for the device: few ranges, and opening twice costs nothing.
Status StreamLoad::open(Fs& fs, DeviceOptions options) {
  std::vector<const ReadFile*> files;
  for (const StreamRange& range : ranges_) {
    CAIRN_TRY(check_range(range));
    files.push_back(range.file);
    buffer_bytes_ = std::max<std::size_t>(buffer_bytes_, range.id.page_bytes);
  }
  CAIRN_ASSIGN(reads_.memory, AlignedBuffer::create(kReads * buffer_bytes_));
  options.depth = options.pread_threads = kReads;
  options.arena = reads_.memory.bytes();
  CAIRN_ASSIGN(reads_.device, fs.make_device(files, options, nullptr));
  return {};
}

/// The next pages, in order; some are left.
Piece StreamLoad::take_piece() {
  const StreamRange& range = ranges_[range_];
  const std::size_t payload = range.id.payload_bytes();
  const std::uint64_t at = range.offset + loaded_;
  const std::size_t inside = at % payload;
  const std::size_t left = range.into.size() - loaded_;
  const std::size_t pages =
      std::min(buffer_bytes_ / range.id.page_bytes, (inside + left + payload - 1) / payload);
  loaded_ += std::min(left, pages * payload - inside);
  const Piece piece{.range = range_, .first_page = at / payload, .pages = pages};
  while (more() && loaded_ == ranges_[range_].into.size()) {
    ++range_;
    loaded_ = 0;
  }
  return piece;
}

Status StreamLoad::submit(std::uint32_t buffer) {
  const Piece& piece = pieces_[buffer] = take_piece();
  const std::uint32_t page_bytes = ranges_[piece.range].id.page_bytes;
  const ReadOp op{.file = static_cast<std::uint32_t>(piece.range),
                  .bytes = static_cast<std::uint32_t>(piece.pages * page_bytes),
                  .offset = piece.first_page * page_bytes,
                  .buffer = bytes_of(buffer, 0).data(),
                  .tag = buffer};
  CAIRN_ASSIGN(const std::uint32_t taken, reads_.device->submit({&op, 1}));
  if (taken == 1) return {};
  return fail({.code = ErrorCode::io,
               .what = "the device took no read of",
               .file = ranges_[piece.range].file->path()});
}

Status StreamLoad::finish(const ReadDone& done) {
  const Piece& piece = pieces_[done.tag];
  const StreamRange& range = ranges_[piece.range];
  if (done.error != 0) return fail(os_error(done.error, "read", range.file->path()));
  const auto bytes =
      bytes_of(static_cast<std::uint32_t>(done.tag), piece.pages * range.id.page_bytes);
  const std::size_t payload = range.id.payload_bytes();
  for (std::size_t p = 0; p < piece.pages; ++p) {
    const auto page = bytes.subspan(p * range.id.page_bytes, range.id.page_bytes);
    if (Status good = layout::check_page(page, range.id.page(piece.first_page + p)); !good)
      return fail(std::move(good).error().in_file(range.file->path()));
    // The part of the page's payload that lies in the range.
    const std::uint64_t page_at = (piece.first_page + p) * payload;
    const std::uint64_t begin = std::max(page_at, range.offset);
    const std::uint64_t end = std::min(page_at + payload, range.offset + range.into.size());
    std::memcpy(range.into.data() + (begin - range.offset),
                page.data() + layout::kPageHeaderBytes + (begin - page_at), end - begin);
  }
  return {};
}

Status StreamLoad::run() {
  while (more() && ranges_[range_].into.empty()) ++range_;
  for (std::uint32_t buffer = 0; buffer < reads_.device->depth() && buffer < kReads && more();
       ++buffer)
    CAIRN_TRY(submit(buffer));
  while (reads_.device->in_flight() > 0) {
    CAIRN_ASSIGN(const std::uint32_t count, reads_.device->reap(done_, 1, -1));
    for (const ReadDone& done : std::span(done_).first(count)) {
      CAIRN_TRY(finish(done));
      if (more()) CAIRN_TRY(submit(static_cast<std::uint32_t>(done.tag)));
    }
  }
  return {};
}

}  // namespace

Status load_streams(Fs& fs, std::span<const StreamRange> ranges, const DeviceOptions& device) {
  if (ranges.empty()) return {};
  StreamLoad load(ranges);
  CAIRN_TRY(load.open(fs, device));
  return load.run();
}

}  // namespace cairn::io
