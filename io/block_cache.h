// Verified blocks that several searching threads share. Bounded in bytes, its own tables included;
// evicts by CLOCK (second chance); hits pin the block in place, so nothing is copied on a hit.
#pragma once

#include <cairn/result.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "layout/page.h"

namespace cairn::io {

/// Thread-safe. Pins must be gone before the cache is.
class BlockCache {
  struct Shard;

 public:
  /// Keeps one block in place until destroyed.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept
        : pins_(std::exchange(other.pins_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
    Pin& operator=(Pin&& other) noexcept {
      std::swap(pins_, other.pins_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Pin() {
      // Release: whoever evicts the block acquires the count, after our last look at it.
      if (pins_ != nullptr) pins_->fetch_sub(1, std::memory_order_release);
    }
    explicit operator bool() const { return pins_ != nullptr; }
    std::span<const std::byte> bytes() const { return bytes_; }

   private:
    friend class BlockCache;
    Pin(std::atomic<std::uint32_t>* pins, std::span<const std::byte> bytes)
        : pins_(pins), bytes_(bytes) {}
    std::atomic<std::uint32_t>* pins_ = nullptr;
    std::span<const std::byte> bytes_;
  };

  struct Stats {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t evictions = 0;
    std::uint64_t refused = 0;  // blocks not kept because all of their shard was pinned
    std::uint64_t blocks = 0;   // now
  };

  /// A cache of at most `limit_bytes`, tables included, of blocks of at most `block_bytes` (a
  /// multiple of 4096). over_limit if not one block fits, out_of_memory.
  static Result<std::unique_ptr<BlockCache>> create(std::uint64_t limit_bytes,
                                                    std::uint32_t block_bytes);
  ~BlockCache();

  /// The block, pinned, or an empty pin. Counts a hit or a miss. O(1).
  Pin find(const layout::PageId& id);
  /// Copies a verified block in, unless it is there. Blocks larger than block_bytes are not kept.
  void insert(const layout::PageId& id, std::span<const std::byte> block);
  /// Forgets all blocks and sets the counters to 0. Pinned ones stay readable until their pins go.
  void clear();

  Stats stats() const;
  /// All that is allocated, whether or not it is filled yet; at most limit_bytes.
  std::uint64_t ram_bytes() const;
  std::uint64_t capacity_blocks() const;

 private:
  BlockCache() = default;
  Shard& shard_of(std::uint64_t hash);

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace cairn::io
