#include "io/page_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
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

Result<PageWriter> PageWriter::create(Fs& fs, const std::string& path, const PageFileId& id) {
  CAIRN_TRY(check_page_bytes(id, path));
  PageWriter writer;
  writer.id_ = id;
  CAIRN_ASSIGN(writer.file_, fs.create(path));
  return writer;
}

Status PageWriter::append_sealed(std::span<const std::byte> pages) {
  CAIRN_TRY(file_->append(pages));
  for (; !pages.empty(); pages = pages.subspan(id_.page_bytes), ++pages_) digest_.add(pages);
  return {};
}

Status PageWriter::append_stream(std::span<const std::byte> bytes) {
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

Status PageWriter::flush_stream() {
  const std::size_t pages = (filled_ + id_.payload_bytes() - 1) / id_.payload_bytes();
  const auto used = buffer_.bytes().first(pages * id_.page_bytes);
  for (std::size_t p = 0; p < pages; ++p)
    layout::seal_page(used.subspan(p * id_.page_bytes, id_.page_bytes), next_page(p));
  CAIRN_TRY(append_sealed(used));
  std::ranges::fill(used, std::byte{0});
  filled_ = 0;
  return {};
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

Status PageStreamReader::read(std::uint64_t offset, std::span<std::byte> into) {
  if (offset > stream_bytes_ || into.size() > stream_bytes_ - offset)
    return fail({.code = ErrorCode::corrupt,
                 .what = "read of " + std::to_string(into.size()) + " bytes at " +
                         std::to_string(offset) + " of the stream of",
                 .file = file_->path(),
                 .found = std::to_string(stream_bytes_) + " bytes"});
  if (buffer_.size() == 0) {
    CAIRN_ASSIGN(buffer_, AlignedBuffer::create(pages_at_once(id_) * id_.page_bytes));
  }
  const std::size_t payload = id_.payload_bytes();
  while (!into.empty()) {
    const std::uint64_t first = offset / payload;
    std::size_t inside = offset % payload;
    const std::size_t pages =
        std::min(pages_at_once(id_), (inside + into.size() + payload - 1) / payload);
    CAIRN_TRY(read_pages(*file_, id_, first, pages, buffer_.bytes()));
    for (std::size_t p = 0; p < pages; ++p, inside = 0) {
      const std::size_t count = std::min(into.size(), payload - inside);
      std::memcpy(into.data(),
                  buffer_.data() + p * id_.page_bytes + layout::kPageHeaderBytes + inside, count);
      into = into.subspan(count);
      offset += count;
    }
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
