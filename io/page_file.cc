#include "io/page_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace cairn::io {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

std::size_t pages_at_once(const PageFileId& id) {
  return std::max<std::size_t>(1, kBufferBytes / id.page_bytes);
}

Status check_page_bytes(const PageFileId& id, const std::string& path) {
  if (id.page_bytes != 0 && id.page_bytes % layout::kPageBytes == 0) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "pages of",
               .file = path,
               .found = std::to_string(id.page_bytes) + " bytes",
               .expected = "a multiple of 4096"});
}

Status check_state(const PageWriterState& state, const PageFileId& id, const std::string& path) {
  // Within what a file can be long, so that nothing below overflows.
  const std::uint64_t most = std::numeric_limits<std::int64_t>::max() / id.page_bytes;
  const bool sealed = state.stream_bytes == 0 && state.tail.empty();
  if (state.pages <= most && state.tail.size() < id.payload_bytes() &&
      (sealed || state.stream_bytes == state.pages * id.payload_bytes() + state.tail.size()))
    return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "state to resume",
               .file = path,
               .found = std::to_string(state.pages) + " pages and " +
                        std::to_string(state.tail.size()) + " bytes for a stream of " +
                        std::to_string(state.stream_bytes)});
}

Status check_whole_pages(const ReadFile& file, const PageFileId& id) {
  if (file.bytes() % id.page_bytes == 0) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "length of",
               .file = file.path(),
               .found = std::to_string(file.bytes()) + " bytes",
               .expected = "pages of " + std::to_string(id.page_bytes)});
}

Status check_page_of(const ReadFile& file, const PageFileId& id, std::uint64_t page,
                     std::span<const std::byte> bytes) {
  Status good = layout::check_page(bytes, id.page(page));
  if (!good) return fail(std::move(good).error().in_file(file.path()));
  return good;
}

}  // namespace

// ---- digest

PageDigest::PageDigest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset(state_.get());
}
void PageDigest::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void PageDigest::add(std::span<const std::byte> page) {
  XXH3_64bits_update(state_.get(), page.data(), layout::kPageHeaderBytes);
}
std::uint64_t PageDigest::value() const { return XXH3_64bits_digest(state_.get()); }

// ---- writer

Result<PageWriter> PageWriter::create(Fs& fs, const std::string& path, const PageFileId& id,
                                      WriteMode mode) {
  CAIRN_TRY(check_page_bytes(id, path));
  PageWriter writer;
  writer.id_ = id;
  CAIRN_ASSIGN(writer.file_, fs.create(path, mode));
  return writer;
}

Result<PageWriter> PageWriter::resume(Fs& fs, const std::string& path, const PageFileId& id,
                                      const PageWriterState& state, WriteMode mode) {
  CAIRN_TRY(check_page_bytes(id, path));
  CAIRN_TRY(check_state(state, id, path));
  PageWriter writer;
  writer.id_ = id;
  CAIRN_ASSIGN(writer.file_, fs.reopen(path, state.pages * id.page_bytes, mode));
  CAIRN_ASSIGN(const auto file, fs.open(path, mode == WriteMode::direct));
  const PageVisitor add = [&](std::uint64_t, std::span<const std::byte> page) {
    writer.digest_.add(page);
    return Status{};
  };
  CAIRN_ASSIGN(const PageFileSummary kept, scan_pages(*file, id, add));
  writer.pages_ = kept.pages;
  CAIRN_TRY(writer.append_stream(state.tail));
  writer.stream_bytes_ = state.stream_bytes;
  return writer;
}

Status PageWriter::append_sealed(std::span<const std::byte> pages) {
  CAIRN_TRY(file_->append(pages));
  for (; !pages.empty(); pages = pages.subspan(id_.page_bytes), ++pages_) digest_.add(pages);
  return {};
}

Status PageWriter::append_stream(std::span<const std::byte> bytes) {
  if (checkpoint_error_) return fail(*checkpoint_error_);
  const std::size_t payload = id_.payload_bytes();
  const std::size_t full = pages_at_once(id_) * payload;
  if (buffer_.size() == 0) {
    CAIRN_ASSIGN(buffer_, AlignedBuffer::create(pages_at_once(id_) * id_.page_bytes));
  }
  while (!bytes.empty()) {
    // Before the write and not after it: a failed flush must leave no room that is not there.
    if (filled_ == full) CAIRN_TRY(flush_stream());
    const std::size_t inside = filled_ % payload;
    const std::size_t count = std::min(bytes.size(), payload - inside);
    std::memcpy(
        buffer_.data() + filled_ / payload * id_.page_bytes + layout::kPageHeaderBytes + inside,
        bytes.data(), count);
    filled_ += count;
    stream_bytes_ += count;
    bytes = bytes.subspan(count);
  }
  return {};
}

// Seals and appends the first pages of the buffer; what is left moves to its front.
Status PageWriter::write_front(std::size_t pages) {
  const auto used = buffer_.bytes().first(pages * id_.page_bytes);
  for (std::size_t p = 0; p < pages; ++p)
    layout::seal_page(used.subspan(p * id_.page_bytes, id_.page_bytes), next_page(p));
  CAIRN_TRY(append_sealed(used));
  filled_ -= std::min(filled_, pages * id_.payload_bytes());
  std::ranges::fill(used, std::byte{0});
  if (filled_ == 0 || pages == 0) return {};
  const auto rest = buffer_.bytes().subspan(used.size(), id_.page_bytes);
  std::ranges::copy(rest, buffer_.data());
  std::ranges::fill(rest, std::byte{0});
  return {};
}

Status PageWriter::flush_stream() {
  return write_front((filled_ + id_.payload_bytes() - 1) / id_.payload_bytes());
}

Status PageWriter::flush_full_pages() {
  CAIRN_TRY(write_front(filled_ / id_.payload_bytes()));
  return file_->sync();
}

Result<PageWriterState> PageWriter::checkpoint() {
  // Kept, since appends to what room the buffer has would not reach the file and its first error.
  if (Status done = flush_full_pages(); !done) {
    checkpoint_error_ = std::move(done).error();
    return fail(*checkpoint_error_);
  }
  const auto tail = buffer_.bytes().subspan(filled_ == 0 ? 0 : layout::kPageHeaderBytes, filled_);
  return PageWriterState{
      .pages = pages_, .stream_bytes = stream_bytes_, .tail = {tail.begin(), tail.end()}};
}

Result<PageFileSummary> PageWriter::finish() {
  CAIRN_TRY(flush_stream());
  CAIRN_TRY(file_->sync());
  CAIRN_TRY(file_->close());
  return PageFileSummary{.pages = pages_, .stream_bytes = stream_bytes_, .digest = digest_.value()};
}

// ---- readers

Status read_pages(const ReadFile& file, const PageFileId& id, std::uint64_t first,
                  std::size_t count, std::span<std::byte> buffer) {
  const auto pages = buffer.first(count * id.page_bytes);
  CAIRN_TRY(file.read(first * id.page_bytes, pages));
  for (std::size_t p = 0; p < count; ++p)
    CAIRN_TRY(check_page_of(file, id, first + p, pages.subspan(p * id.page_bytes, id.page_bytes)));
  return {};
}

std::size_t copy_payload(const PageFileId& id, std::span<const std::byte> pages, std::size_t from,
                         std::span<std::byte> into) {
  const std::size_t payload = id.payload_bytes();
  const std::size_t there = pages.size() / id.page_bytes * payload;
  const std::size_t end = from + std::min(into.size(), there - std::min(from, there));
  for (std::size_t at = from; at < end;) {
    const std::size_t inside = at % payload;
    const std::size_t count = std::min(end - at, payload - inside);
    std::memcpy(into.data() + (at - from),
                pages.data() + at / payload * id.page_bytes + layout::kPageHeaderBytes + inside,
                count);
    at += count;
  }
  return end - from;
}

Result<PageStreamReader> PageStreamReader::create(const ReadFile& file, const PageFileId& id,
                                                  std::uint64_t stream_bytes) {
  CAIRN_TRY(check_page_bytes(id, file.path()));
  CAIRN_TRY(check_whole_pages(file, id));
  const std::uint64_t pages = file.bytes() / id.page_bytes;
  const std::uint64_t needed =
      stream_bytes / id.payload_bytes() + (stream_bytes % id.payload_bytes() != 0 ? 1 : 0);
  if (needed != pages)
    return fail({.code = ErrorCode::corrupt,
                 .what = "length of",
                 .file = file.path(),
                 .found = std::to_string(pages) + " pages",
                 .expected = std::to_string(needed) + " for a stream of " +
                             std::to_string(stream_bytes) + " bytes"});
  PageStreamReader reader;
  reader.file_ = &file;
  reader.id_ = id;
  reader.stream_bytes_ = stream_bytes;
  return reader;
}

Status PageStreamReader::check_range(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > stream_bytes_ || bytes > stream_bytes_ - offset)
    return fail({.code = ErrorCode::corrupt,
                 .what = "read of " + std::to_string(bytes) + " bytes at " +
                         std::to_string(offset) + " of the stream of",
                 .file = file_->path(),
                 .found = std::to_string(stream_bytes_) + " bytes"});
  return {};
}

Status PageStreamReader::read(std::uint64_t offset, std::span<std::byte> into) {
  CAIRN_TRY(check_range(offset, into.size()));
  if (buffer_.size() == 0) {
    CAIRN_ASSIGN(buffer_, AlignedBuffer::create(pages_at_once(id_) * id_.page_bytes));
  }
  const std::size_t payload = id_.payload_bytes();
  while (!into.empty()) {
    const std::uint64_t first = offset / payload;
    const std::size_t inside = offset % payload;
    const std::size_t pages =
        std::min(pages_at_once(id_), (inside + into.size() + payload - 1) / payload);
    CAIRN_TRY(read_pages(*file_, id_, first, pages, buffer_.bytes()));
    const std::size_t count =
        copy_payload(id_, buffer_.bytes().first(pages * id_.page_bytes), inside, into);
    into = into.subspan(count);
    offset += count;
  }
  return {};
}

Result<PageFileSummary> scan_pages(const ReadFile& file, const PageFileId& id,
                                   const PageVisitor& visit, const BadPageVisitor& visit_bad) {
  CAIRN_TRY(check_page_bytes(id, file.path()));
  CAIRN_TRY(check_whole_pages(file, id));
  CAIRN_ASSIGN(const AlignedBuffer buffer,
               AlignedBuffer::create(pages_at_once(id) * id.page_bytes));
  PageFileSummary summary{.pages = file.bytes() / id.page_bytes};
  PageDigest digest;
  for (std::uint64_t first = 0; first < summary.pages; first += pages_at_once(id)) {
    const std::size_t count = std::min<std::uint64_t>(pages_at_once(id), summary.pages - first);
    CAIRN_TRY(file.read(first * id.page_bytes, buffer.bytes().first(count * id.page_bytes)));
    for (std::size_t p = 0; p < count; ++p) {
      const auto page = buffer.bytes().subspan(p * id.page_bytes, id.page_bytes);
      digest.add(page);
      if (Status good = check_page_of(file, id, first + p, page); !good) {
        if (!visit_bad) return fail(std::move(good).error());
        CAIRN_TRY(visit_bad(std::move(good).error()));
      } else if (visit) {
        CAIRN_TRY(visit(first + p, page));
      }
    }
  }
  summary.digest = digest.value();
  return summary;
}

}  // namespace cairn::io
