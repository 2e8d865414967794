#include "io/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "io/slot_table.h"
#include "tests/io/io_test_util.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kPage = 4096;

// A block that says which one it is.
std::vector<std::byte> block_of(const layout::PageId& id, std::size_t bytes = kPage) {
  std::vector<std::byte> block(bytes);
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    const std::uint64_t word = mix64(id.identity * 31 + id.page * 7 + id.generation + at);
    std::memcpy(block.data() + at, &word, 8);
  }
  return block;
}

bool holds(const BlockCache::Pin& pin, const layout::PageId& id) {
  return pin && std::ranges::equal(pin.bytes(), block_of(id, pin.bytes().size()));
}

TEST(SlotTable, AgreesWithAMapUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    constexpr std::uint32_t kMax = 37;
    SlotTable table(kMax);
    // Bad hashes too: few values, so that chains collide and wrap around.
    const std::uint64_t spread = seed % 3 == 0 ? 4 : 1000;
    std::vector<std::optional<std::uint64_t>> key(kMax);
    const auto hash = [&](std::uint64_t k) {
      return spread == 4 ? ~std::uint64_t{0} - k % spread : mix64(k);
    };
    for (int i = 0; i < 4000; ++i) {
      const auto slot = static_cast<std::uint32_t>(random() % kMax);
      if (key[slot]) {
        table.erase(hash(*key[slot]), slot, [&](std::uint32_t s) { return hash(*key[s]); });
        key[slot].reset();
      } else {
        std::uint64_t k = random() % spread * 1000 + slot;
        key[slot] = k;
        table.insert(hash(k), slot);
      }
      for (std::uint32_t s = 0; s < kMax; ++s) {
        const std::uint64_t wanted = key[s].value_or(77'777'777);
        const std::uint32_t found =
            table.find(hash(wanted), [&](std::uint32_t c) { return key[c] == wanted; });
        ASSERT_EQ(found, key[s] ? s : SlotTable::kNone);
      }
    }
  }
}

TEST(BlockCache, ReturnsWhatWasPutIn) {
  auto cache = must(BlockCache::create(1 << 20, kPage));
  const layout::PageId id{1, 2, 3};
  EXPECT_FALSE(cache->find(id));
  cache->insert(id, block_of(id));
  EXPECT_TRUE(holds(cache->find(id), id));
  // Each part of the name counts.
  EXPECT_FALSE(cache->find({2, 2, 3}));
  EXPECT_FALSE(cache->find({1, 3, 3}));
  EXPECT_FALSE(cache->find({1, 2, 4}));
  EXPECT_EQ(cache->stats().hits, 1u);
  EXPECT_EQ(cache->stats().misses, 4u);
  EXPECT_EQ(cache->stats().blocks, 1u);
}

TEST(BlockCache, StaysWithinItsLimitTablesIncluded) {
  for (const std::uint64_t limit : {10'000ull, 65'536ull, 1'000'000ull, 20'000'003ull}) {
    auto cache = must(BlockCache::create(limit, kPage));
    EXPECT_LE(cache->ram_bytes(), limit);
    // And uses it: less than a block of each shard and the tables' share are left over.
    EXPECT_GT(cache->ram_bytes() + 17 * (kPage + 128), limit);
    for (std::uint64_t page = 0; page < 3 * cache->capacity_blocks(); ++page)
      cache->insert({1, page, 1}, block_of({1, page, 1}));
    EXPECT_LE(cache->stats().blocks, cache->capacity_blocks());
    EXPECT_LE(cache->ram_bytes(), limit);
  }
}

TEST(BlockCache, RefusesLimitsThatHoldNothing) {
  EXPECT_EQ(BlockCache::create(0, kPage).error().code, ErrorCode::over_limit);
  EXPECT_EQ(BlockCache::create(4096, kPage).error().code, ErrorCode::over_limit);
  EXPECT_EQ(BlockCache::create(1 << 20, 0).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(BlockCache::create(1 << 20, 1000).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(BlockCache::create(~0ull, kPage).error().code, ErrorCode::out_of_memory);
}

TEST(BlockCache, EvictsWhatWasNotUsed) {
  auto cache = must(BlockCache::create(64 * 5000, kPage));
  const std::uint64_t room = cache->capacity_blocks();
  ASSERT_GT(room, 20u);
  const auto put = [&](std::uint64_t page) { cache->insert({1, page, 1}, block_of({1, page, 1})); };
  for (std::uint64_t page = 0; page < room; ++page) put(page);
  // The hand has not been round yet: touch a few, then bring half as many new ones.
  for (std::uint64_t page = 0; page < 10; ++page) ASSERT_TRUE(cache->find({1, page, 1}));
  for (std::uint64_t page = room; page < room + room / 2; ++page) put(page);
  for (std::uint64_t page = 0; page < 10; ++page)
    EXPECT_TRUE(holds(cache->find({1, page, 1}), {1, page, 1})) << page;
  EXPECT_EQ(cache->stats().evictions, room / 2);
}

TEST(BlockCache, PinnedBlocksStayAndARefusalIsCounted) {
  auto cache = must(BlockCache::create(10 * 4300, kPage));
  const std::uint64_t room = cache->capacity_blocks();
  std::vector<BlockCache::Pin> pins;
  for (std::uint64_t page = 0; page < room; ++page) {
    cache->insert({1, page, 1}, block_of({1, page, 1}));
    pins.push_back(cache->find({1, page, 1}));
  }
  cache->insert({1, 999, 1}, block_of({1, 999, 1}));
  EXPECT_EQ(cache->stats().refused, 1u);
  for (std::uint64_t page = 0; page < room; ++page)
    EXPECT_TRUE(holds(pins[page], {1, page, 1})) << page;
  pins.erase(pins.begin() + 3);
  cache->insert({1, 999, 1}, block_of({1, 999, 1}));
  EXPECT_TRUE(holds(cache->find({1, 999, 1}), {1, 999, 1}));
  EXPECT_FALSE(cache->find({1, 3, 1}));
}

TEST(BlockCache, ClearForgetsButKeepsPinnedBytes) {
  auto cache = must(BlockCache::create(10 * 4300, kPage));
  const std::uint64_t room = cache->capacity_blocks();
  const layout::PageId id{5, 5, 5};
  cache->insert(id, block_of(id));
  auto pin = cache->find(id);
  cache->clear();
  EXPECT_FALSE(cache->find(id));
  EXPECT_EQ(cache->stats().blocks, 0u);
  for (std::uint64_t page = 0; page < 3 * room; ++page)
    cache->insert({1, page, 1}, block_of({1, page, 1}));
  EXPECT_TRUE(holds(pin, id)) << "a pinned block must not be overwritten";
  EXPECT_EQ(cache->stats().blocks, room - 1);
  pin = {};
  for (std::uint64_t page = 0; page < 3 * room; ++page)
    cache->insert({2, page, 1}, block_of({2, page, 1}));
  EXPECT_EQ(cache->stats().blocks, room) << "its place is used again";
}

TEST(BlockCache, BlocksOfOtherSizesAreKeptIfTheyFit) {
  auto cache = must(BlockCache::create(1 << 20, 2 * kPage));
  const layout::PageId small{1, 1, 1};
  cache->insert(small, block_of(small, kPage));
  EXPECT_EQ(cache->find(small).bytes().size(), kPage);
  const layout::PageId large{1, 2, 1};
  cache->insert(large, block_of(large, 3 * kPage));
  EXPECT_FALSE(cache->find(large));
}

TEST(BlockCache, ManyThreadsSeeWholeBlocksOnly) {
  auto cache = must(BlockCache::create(200 * 4300, kPage));
  std::atomic<std::uint64_t> wrong = 0;
  std::atomic<std::uint64_t> hits = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::mt19937_64 random(40 + t);
      std::vector<BlockCache::Pin> held(8);
      for (int i = 0; i < 4000; ++i) {
        const layout::PageId id{1, random() % 400, 1};
        if (auto pin = cache->find(id)) {
          hits.fetch_add(1, std::memory_order_relaxed);
          if (!holds(pin, id)) wrong.fetch_add(1, std::memory_order_relaxed);
          held[random() % held.size()] = std::move(pin);
        } else {
          cache->insert(id, block_of(id));
        }
        if (t == 0 && i % 1000 == 999) cache->clear();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(hits, 1000u);
}

}  // namespace
}  // namespace cairn::io
