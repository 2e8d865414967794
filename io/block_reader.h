// The one door through which blocks enter: nothing leaves it that was not verified. Reads whole
// blocks of a set of files through one Device into its own buffers, checks every page checksum,
// serves repeated blocks from a shared cache and merges requests for a block that is under way.
//
//   request(...)  ->  device / cache / merge  ->  collect(...): token and page, or token and error
//
// Nothing is allocated per request; only an error allocates.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/aligned_buffer.h"
#include "io/block_cache.h"
#include "io/device.h"
#include "io/fs.h"
#include "io/slot_table.h"
#include "layout/page.h"

namespace cairn::io {

/// A file of sealed blocks: block b is bytes [b * block_bytes, (b + 1) * block_bytes), sealed as
/// PageId{identity, b, generation}.
struct BlockFile {
  const ReadFile* file = nullptr;
  std::uint64_t identity = 0;
  std::uint64_t generation = 0;
  std::uint32_t block_bytes = 4096;  // a multiple of 4096
};

struct BlockRequest {
  std::uint32_t file = 0;   // index into the files given at creation
  std::uint64_t block = 0;  // an untrusted number: checked against the length of the file
  std::uint64_t token = 0;  // the caller's, returned with the block
};

struct BlockReaderOptions {
  /// Blocks held at once: being read, or collected and not yet released. 1 to 65,536.
  std::uint32_t buffers = 64;
  /// Requests taken and not yet collected; merged ones need no buffer. 0: 4 * buffers.
  std::uint32_t requests_max = 0;
  /// depth: reads in flight, at most `buffers` are used. The arena is set by the reader.
  DeviceOptions device = {};
};

/// Where a block came from.
enum class BlockSource : std::uint8_t {
  disk,    // it cost a physical read
  shared,  // another request's read, still under way or held
  cache,
};

class BlockReader;

/// A verified block, readable until this is destroyed, which gives its buffer back. Used on the
/// reader's thread; must not outlive the reader or its cache.
class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(BlockRef&& other) noexcept { swap(other); }
  BlockRef& operator=(BlockRef&& other) noexcept {
    BlockRef(std::move(other)).swap(*this);
    return *this;
  }
  ~BlockRef();

  explicit operator bool() const { return !bytes_.empty(); }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  friend class BlockReader;
  void swap(BlockRef& other) noexcept {
    std::swap(reader_, other.reader_);
    std::swap(buffer_, other.buffer_);
    std::swap(pin_, other.pin_);
    std::swap(bytes_, other.bytes_);
  }

  BlockReader* reader_ = nullptr;  // null: pinned in the cache, or empty
  std::uint32_t buffer_ = 0;
  BlockCache::Pin pin_;
  std::span<const std::byte> bytes_;
};

/// What became of a request: exactly one of `block` and `error` is set.
struct BlockArrival {
  std::uint64_t token = 0;
  BlockSource source = BlockSource::disk;
  BlockRef block;
  std::unique_ptr<Error> error;
};

struct BlockCounters {
  std::uint64_t reads_4k = 0;  // physical reads in units of 4 KiB, repeated ones included
  std::uint64_t cache_hits = 0;
  std::uint64_t shared = 0;   // requests served by another's read
  std::uint64_t retries = 0;  // reads repeated after EIO
  std::uint64_t failed = 0;   // blocks whose requests got an error
};

/// Not thread-safe; the thread rule of its Device holds.
class BlockReader {
 public:
  /// `files` and `cache` (null: none) must outlive the reader. `fallback_reason` as in
  /// make_device. invalid_argument, over_limit, out_of_memory, or why the device cannot be made.
  static Result<std::unique_ptr<BlockReader>> create(Fs& fs, std::span<const BlockFile> files,
                                                     const BlockReaderOptions& options,
                                                     BlockCache* cache,
                                                     std::string* fallback_reason);
  ~BlockReader();

  /// Takes requests in order and starts their reads; returns how many it took. It stops where no
  /// buffer, device slot or place for a request is left: collect, release, and ask again. Every
  /// request taken arrives exactly once.
  std::uint32_t request(std::span<const BlockRequest> requests);

  /// Fills `arrivals` from the front with what has arrived; waits until at least min(wait_min,
  /// outstanding(), arrivals.size()) have, or `timeout_us` has passed (negative: no limit).
  /// Entries that are overwritten release what they held. Returns how many were filled.
  ///
  /// The errors of a request: corrupt (checksum, or a block outside its file) and io, each naming
  /// file and block. A read that fails with EIO is repeated once (a reset link often heals), no
  /// other error is; a wrong checksum is not read again: disks do not heal, and a caller that
  /// must know of every corruption may not be spared one.
  ///
  /// An error of collect() itself: the device is lost; destroy the reader.
  Result<std::uint32_t> collect(std::span<BlockArrival> arrivals, std::uint32_t wait_min,
                                std::int64_t timeout_us);

  /// Requests taken and not yet collected.
  std::uint32_t outstanding() const { return outstanding_; }
  /// Reads in flight.
  std::uint32_t reading() const { return reading_; }
  const BlockCounters& counters() const { return counters_; }
  Backend backend() const { return reads_.device->backend(); }
  /// Whether the device takes reads: see Device::usable().
  bool usable() const { return reads_.device->usable(); }
  /// Buffers and tables.
  std::size_t ram_bytes() const;

 private:
  friend class BlockRef;

  struct Buffer {
    std::uint32_t file = 0;
    std::uint64_t block = 0;
    std::uint32_t first_waiter = SlotTable::kNone;
    std::uint32_t last_waiter = SlotTable::kNone;
    std::uint32_t references = 0;  // BlockRefs
    bool reading = false;
    bool repeated = false;
  };
  struct Waiter {
    std::uint64_t token = 0;
    std::uint32_t next = SlotTable::kNone;
    BlockSource source = BlockSource::disk;
  };

  BlockReader(std::span<const BlockFile> files, const BlockReaderOptions& options,
              std::uint32_t buffer_bytes, BlockCache* cache);

  bool take(const BlockRequest& request);
  bool join(const BlockRequest& request, std::uint64_t hash);
  bool serve_from_cache(const BlockRequest& request);
  void refuse(const BlockRequest& request);
  void start_read(const BlockRequest& request, std::uint64_t hash);
  void add_waiter(std::uint32_t buffer, std::uint64_t token, BlockSource source);
  void submit_prepared();
  void finish_read(const ReadDone& read);
  bool repeat(std::uint32_t buffer);
  void settle(std::uint32_t buffer, const Error* error);
  void release(std::uint32_t buffer);
  void push_ready(BlockArrival arrival);
  BlockArrival pop_ready();
  BlockRef reference(std::uint32_t buffer);
  void forget(std::uint32_t buffer);
  ReadOp read_op(std::uint32_t buffer) const;

  std::span<std::byte> bytes_of(std::uint32_t buffer) const {
    return reads_.memory.bytes().subspan(std::size_t{buffer} * buffer_bytes_,
                                         files_[buffers_[buffer].file].block_bytes);
  }
  layout::PageId id_of(std::uint32_t file, std::uint64_t block) const {
    return {files_[file].identity, block, files_[file].generation};
  }
  static std::uint64_t hash_of(std::uint32_t file, std::uint64_t block) {
    return mix64(block * 0x9e37'79b9'7f4a'7c15ULL + file);
  }

  std::vector<BlockFile> files_;
  std::uint32_t buffer_bytes_;
  BlockCache* cache_;
  BlockCounters counters_;
  std::uint32_t outstanding_ = 0;
  std::uint32_t reading_ = 0;

  std::vector<Buffer> buffers_;
  std::vector<std::uint32_t> free_buffers_;
  SlotTable held_;  // buffers that are reading or referenced, by (file, block)
  std::vector<Waiter> waiters_;
  std::uint32_t free_waiter_ = SlotTable::kNone;
  std::uint32_t merged_waiting_ = 0;  // waiters beyond the first of their read
  std::vector<BlockArrival> ready_;   // a ring
  std::size_t ready_first_ = 0;
  std::size_t ready_count_ = 0;
  std::vector<ReadOp> prepared_;
  std::vector<ReadDone> done_;

  DeviceMemory reads_;
};

}  // namespace cairn::io
