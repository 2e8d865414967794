// Files of sealed pages, whole: written as they come, read as a stream, checked from end to end.
// See FORMAT.md, Pages. Reading single blocks is io/block_reader.h.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/fs.h"
#include "layout/page.h"

struct XXH3_state_s;  // xxhash.h, which defines macros that others need not see

namespace cairn::io {

/// What seeds the checksums of a file's pages, and how large they are.
struct PageFileId {
  std::uint64_t identity = 0;
  std::uint64_t generation = 0;
  std::uint32_t page_bytes = layout::kPageBytes;  // a multiple of 4096

  layout::PageId page(std::uint64_t number) const { return {identity, number, generation}; }
  std::size_t payload_bytes() const { return page_bytes - layout::kPageHeaderBytes; }
};

/// What the manifest records of a file.
struct PageFileSummary {
  std::uint64_t pages = 0;
  std::uint64_t stream_bytes = 0;  // of append_stream
  std::uint64_t digest = 0;        // XXH3-64 of the page checksums in order
};

/// XXH3-64 over the checksums of pages in order.
class PageDigest {
 public:
  PageDigest();
  /// `page`: sealed; only its first 8 bytes are taken.
  void add(std::span<const std::byte> page);
  std::uint64_t value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

/// What PageWriter::resume needs of a file that is not finished: plain values, for its owner to
/// keep where they outlive the process.
struct PageWriterState {
  std::uint64_t pages = 0;         // full, synced
  std::uint64_t stream_bytes = 0;  // of append_stream; 0 for sealed pages
  std::vector<std::byte> tail;     // of the stream, not in those pages: less than a page's payload
};

/// Writes one file of sealed pages in appends of 1 MiB. Use either append_stream or append_sealed
/// on one file. After an error every later call returns it. Not thread-safe.
class PageWriter {
 public:
  /// Errors as Fs::create, and invalid_argument for a page size.
  static Result<PageWriter> create(Fs& fs, const std::string& path, const PageFileId& id,
                                   WriteMode mode = WriteMode::buffered);
  /// Goes on with a file where checkpoint() gave `state`, whatever was appended since: the file is
  /// cut to the pages of `state`, which are read again. The finished file and its summary do not
  /// depend on how often that happened. Errors as Fs::reopen, corrupt naming the first bad page,
  /// invalid_argument for a state that no checkpoint gives. O(file).
  static Result<PageWriter> resume(Fs& fs, const std::string& path, const PageFileId& id,
                                   const PageWriterState& state,
                                   WriteMode mode = WriteMode::buffered);

  /// Appends to the stream that the payloads of the pages carry; pages are sealed here.
  Status append_stream(std::span<const std::byte> bytes);
  /// Appends whole pages that the caller has sealed as next_page(0), next_page(1), ... (which it
  /// may do on many threads).
  Status append_sealed(std::span<const std::byte> pages);
  /// Where the page `ahead` pages after the last appended one belongs.
  layout::PageId next_page(std::uint64_t ahead = 0) const { return id_.page(pages_ + ahead); }

  /// Writes the pages that are full and syncs the file; the page under construction is left in
  /// memory, since nothing is overwritten in place. The file's name is its folder's to sync.
  Result<PageWriterState> checkpoint();

  /// Pads the last page with zeros, syncs and closes. The folder is the caller's to sync.
  Result<PageFileSummary> finish();

 private:
  PageWriter() = default;
  Status write_front(std::size_t pages);
  Status flush_stream();
  Status flush_full_pages();

  PageFileId id_;
  std::unique_ptr<WriteFile> file_;
  AlignedBuffer buffer_;    // pages of a stream under construction, zero beyond filled_
  std::size_t filled_ = 0;  // stream bytes in buffer_
  std::uint64_t pages_ = 0;
  std::uint64_t stream_bytes_ = 0;
  PageDigest digest_;
  std::optional<Error> checkpoint_error_;
};

/// Reads ranges of the stream that a file's pages carry; every page is verified. Not thread-safe;
/// any number of readers may share one ReadFile.
class PageStreamReader {
 public:
  /// `file` must outlive the reader. corrupt unless its length is whole pages that hold
  /// `stream_bytes` and not a page more; invalid_argument for a page size.
  static Result<PageStreamReader> create(const ReadFile& file, const PageFileId& id,
                                         std::uint64_t stream_bytes);

  /// Fills `into` from stream offset `offset`. corrupt beyond stream_bytes() or naming the page.
  /// O(into.size()), in reads of up to 1 MiB.
  Status read(std::uint64_t offset, std::span<std::byte> into);
  /// corrupt unless `bytes` bytes from `offset` lie in the stream.
  Status check_range(std::uint64_t offset, std::uint64_t bytes) const;
  std::uint64_t stream_bytes() const { return stream_bytes_; }
  const ReadFile& file() const { return *file_; }
  const PageFileId& id() const { return id_; }

 private:
  PageStreamReader() = default;

  const ReadFile* file_ = nullptr;
  PageFileId id_;
  std::uint64_t stream_bytes_ = 0;
  AlignedBuffer buffer_;
};

/// Reads pages [first, first + count) into the front of `buffer` (page-aligned, large enough) and
/// verifies them. corrupt, io. Thread-safe.
Status read_pages(const ReadFile& file, const PageFileId& id, std::uint64_t first,
                  std::size_t count, std::span<std::byte> buffer);

/// Copies stream bytes from byte `from` of what `pages`, whole and verified, carry into the front
/// of `into`, as many as there are or as it takes; returns how many.
std::size_t copy_payload(const PageFileId& id, std::span<const std::byte> pages, std::size_t from,
                         std::span<std::byte> into);

/// Called with each verified page in order; an error ends the scan.
using PageVisitor = std::function<Status(std::uint64_t page, std::span<const std::byte> bytes)>;
/// Called with what is wrong with a page, which is then not visited; an error ends the scan.
using BadPageVisitor = std::function<Status(Error)>;

/// Reads a whole file in order, verifies every page and returns the digest of their checksums.
/// corrupt names the first bad page, unless `visit_bad` goes on; `visit` may be empty. O(file),
/// 1 MiB of memory.
Result<PageFileSummary> scan_pages(const ReadFile& file, const PageFileId& id,
                                   const PageVisitor& visit, const BadPageVisitor& visit_bad = {});

}  // namespace cairn::io
