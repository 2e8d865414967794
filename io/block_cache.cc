#include "io/block_cache.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#include "io/aligned_buffer.h"
#include "io/slot_table.h"

namespace cairn::io {
namespace {

constexpr std::uint64_t kShardsMax = 16;
// A smaller shard would evict by luck of the hash rather than by use.
constexpr std::uint64_t kShardBlocksMin = 64;
constexpr std::uint64_t kShardBlocksMax = 0x7fff'ffff;

std::uint64_t hash_of_id(const layout::PageId& id) {
  return mix64(id.identity ^ mix64(id.page + mix64(id.generation)));
}

bool same(const layout::PageId& a, const layout::PageId& b) {
  return a.page == b.page && a.identity == b.identity && a.generation == b.generation;
}

struct Entry {
  layout::PageId id;
  std::uint32_t bytes = 0;
  std::atomic<std::uint32_t> pins = 0;
  bool referenced = false;  // CLOCK: used since the hand last passed
  bool linked = false;      // in the table; else free, or cleared while pinned
};

}  // namespace

struct BlockCache::Shard {
  Shard(AlignedBuffer memory_in, std::uint64_t blocks, std::uint32_t block_bytes_in)
      : block_bytes(block_bytes_in), memory(std::move(memory_in)), table(blocks), entries(blocks) {}

  static std::uint64_t ram_bytes(std::uint64_t blocks, std::uint32_t block_bytes) {
    return sizeof(Shard) + sizeof(std::unique_ptr<Shard>) + blocks * (block_bytes + sizeof(Entry)) +
           SlotTable::cells_for(blocks) * sizeof(std::uint32_t);
  }

  std::byte* block(std::uint32_t slot) const {
    return memory.data() + std::size_t{slot} * block_bytes;
  }
  std::uint32_t find(std::uint64_t hash, const layout::PageId& id) const {
    return table.find(hash, [&](std::uint32_t slot) { return same(entries[slot].id, id); });
  }
  std::uint32_t take_slot();

  const std::uint32_t block_bytes;
  std::mutex mutex;  // of all below
  AlignedBuffer memory;
  SlotTable table;
  std::vector<Entry> entries;
  std::size_t hand = 0;
  Stats stats;
};

// A free slot, else the first that was not used since the hand last passed; kNone if all are
// pinned. Two rounds suffice: the first takes every second chance away.
std::uint32_t BlockCache::Shard::take_slot() {
  for (std::size_t step = 0; step < 2 * entries.size(); ++step) {
    const auto slot = static_cast<std::uint32_t>(hand);
    Entry& entry = entries[hand];
    hand = hand + 1 == entries.size() ? 0 : hand + 1;
    if (entry.pins.load(std::memory_order_acquire) != 0) continue;
    if (!entry.linked) return slot;
    if (std::exchange(entry.referenced, false)) continue;
    table.erase(hash_of_id(entry.id), slot,
                [&](std::uint32_t other) { return hash_of_id(entries[other].id); });
    entry.linked = false;
    ++stats.evictions;
    --stats.blocks;
    return slot;
  }
  return SlotTable::kNone;
}

Result<std::unique_ptr<BlockCache>> BlockCache::create(std::uint64_t limit_bytes,
                                                       std::uint32_t block_bytes) {
  if (block_bytes == 0 || block_bytes % kIoAlignment != 0)
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "blocks of a cache",
                 .found = std::to_string(block_bytes) + " bytes",
                 .expected = "a multiple of 4096"});
  const std::uint64_t fixed = sizeof(BlockCache) + Shard::ram_bytes(0, block_bytes);
  const std::uint64_t each = Shard::ram_bytes(1, block_bytes) - Shard::ram_bytes(0, block_bytes);
  if (limit_bytes < fixed + each)
    return fail({.code = ErrorCode::over_limit,
                 .what = "block cache",
                 .found = std::to_string(limit_bytes) + " bytes",
                 .expected = "at least " + std::to_string(fixed + each) + " bytes"});
  const std::uint64_t shards =
      std::clamp<std::uint64_t>((limit_bytes - fixed) / each / kShardBlocksMin, 1, kShardsMax);
  const std::uint64_t shard_limit = (limit_bytes - sizeof(BlockCache)) / shards;
  const std::uint64_t blocks =
      std::min((shard_limit - Shard::ram_bytes(0, block_bytes)) / each, kShardBlocksMax);
  try {
    std::unique_ptr<BlockCache> cache(new BlockCache);
    cache->shards_.reserve(shards);
    for (std::uint64_t i = 0; i < shards; ++i) {
      CAIRN_ASSIGN(AlignedBuffer memory, AlignedBuffer::create_huge(blocks * block_bytes));
      CAIRN_TRY(memory.populate());
      cache->shards_.push_back(std::make_unique<Shard>(std::move(memory), blocks, block_bytes));
    }
    return cache;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "allocate the tables of a block cache");
  }
}

BlockCache::~BlockCache() = default;

// The table takes the high bits of the hash, so the shard takes the low ones.
BlockCache::Shard& BlockCache::shard_of(std::uint64_t hash) {
  return *shards_[(hash & 0xffff'ffffu) % shards_.size()];
}

BlockCache::Pin BlockCache::find(const layout::PageId& id) {
  const std::uint64_t hash = hash_of_id(id);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const std::uint32_t slot = shard.find(hash, id);
  if (slot == SlotTable::kNone) {
    ++shard.stats.misses;
    return {};
  }
  ++shard.stats.hits;
  Entry& entry = shard.entries[slot];
  entry.referenced = true;
  entry.pins.fetch_add(1, std::memory_order_relaxed);
  return Pin(&entry.pins, {shard.block(slot), entry.bytes});
}

void BlockCache::insert(const layout::PageId& id, std::span<const std::byte> block) {
  const std::uint64_t hash = hash_of_id(id);
  Shard& shard = shard_of(hash);
  if (block.size() > shard.block_bytes) return;
  const std::lock_guard lock(shard.mutex);
  if (shard.find(hash, id) != SlotTable::kNone) return;
  const std::uint32_t slot = shard.take_slot();
  if (slot == SlotTable::kNone) {
    ++shard.stats.refused;
    return;
  }
  std::memcpy(shard.block(slot), block.data(), block.size());
  Entry& entry = shard.entries[slot];
  entry.id = id;
  entry.bytes = static_cast<std::uint32_t>(block.size());
  entry.referenced = false;
  entry.linked = true;
  shard.table.insert(hash, slot);
  ++shard.stats.blocks;
}

void BlockCache::clear() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->table.clear();
    for (Entry& entry : shard->entries) entry.linked = false;
    shard->stats = {};
  }
}

BlockCache::Stats BlockCache::stats() const {
  Stats sum;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    sum.hits += shard->stats.hits;
    sum.misses += shard->stats.misses;
    sum.evictions += shard->stats.evictions;
    sum.refused += shard->stats.refused;
    sum.blocks += shard->stats.blocks;
  }
  return sum;
}

std::uint64_t BlockCache::ram_bytes() const {
  return sizeof(BlockCache) + shards_.size() * Shard::ram_bytes(capacity_blocks() / shards_.size(),
                                                                shards_.front()->block_bytes);
}

std::uint64_t BlockCache::capacity_blocks() const {
  return shards_.size() * shards_.front()->entries.size();
}

}  // namespace cairn::io
