#include "io/block_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <thread>

#include "io/page_file.h"
#include "tests/io/count_allocations.h"
#include "tests/io/io_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::io {
namespace {

using sim::ReadFault;

constexpr std::uint64_t kBlocks = 40;

PageFileId id_of(std::uint32_t file, std::uint32_t block_bytes) {
  return {.identity = 100 + file, .generation = 2, .page_bytes = block_bytes};
}

// Two files of sealed random blocks on any file system, and readers of them.
class Blocks {
 public:
  Blocks(Fs& fs, const std::string& folder, std::vector<std::uint32_t> block_bytes) : fs_(fs) {
    for (std::uint32_t f = 0; f < block_bytes.size(); ++f) {
      const PageFileId id = id_of(f, block_bytes[f]);
      const std::string path = folder + "/f" + std::to_string(f);
      contents_.push_back(random_bytes(kBlocks * block_bytes[f], 50 + f));
      auto writer = must(PageWriter::create(fs, path, id));
      for (std::uint64_t b = 0; b < kBlocks; ++b)
        layout::seal_page(std::span(contents_[f]).subspan(b * block_bytes[f], block_bytes[f]),
                          id.page(b));
      EXPECT_TRUE(ok(writer.append_sealed(contents_[f])));
      must(writer.finish());
      files_.push_back(must(fs.open(path, true)));
      refs_.push_back({files_[f].get(), id.identity, id.generation, block_bytes[f]});
    }
  }

  std::unique_ptr<BlockReader> reader(const BlockReaderOptions& options,
                                      BlockCache* cache = nullptr) {
    return must(BlockReader::create(fs_, refs_, options, cache, nullptr));
  }
  std::span<const std::byte> block(std::uint32_t file, std::uint64_t block) const {
    const std::uint32_t bytes = refs_[file].block_bytes;
    return std::span(contents_[file]).subspan(block * bytes, bytes);
  }
  const std::vector<BlockFile>& refs() const { return refs_; }
  const std::string& path(std::uint32_t file) const { return files_[file]->path(); }

 private:
  Fs& fs_;
  std::vector<std::vector<std::byte>> contents_;
  std::vector<std::unique_ptr<ReadFile>> files_;
  std::vector<BlockFile> refs_;
};

// Collects everything outstanding.
std::vector<BlockArrival> collect_all(BlockReader& reader) {
  std::vector<BlockArrival> all(reader.outstanding());
  const auto count = must(reader.collect(all, reader.outstanding(), -1));
  EXPECT_EQ(count, all.size());
  return all;
}

class SimBlocks : public ::testing::Test {
 protected:
  sim::SimFs fs_{3};
  Blocks blocks_{fs_, ".", {4096}};
};

TEST_F(SimBlocks, OneReadServesAllWhoAskForTheBlock) {
  auto reader = blocks_.reader({.buffers = 4});
  const std::vector<BlockRequest> requests = {{0, 7, 1}, {0, 7, 2}, {0, 8, 3}, {0, 7, 4}};
  EXPECT_EQ(reader->request(requests), 4u);
  EXPECT_EQ(reader->reading(), 2u);
  auto arrivals = collect_all(*reader);
  std::map<std::uint64_t, BlockSource> sources;
  for (const BlockArrival& arrival : arrivals) {
    ASSERT_FALSE(arrival.error);
    EXPECT_TRUE(
        std::ranges::equal(arrival.block.bytes(), blocks_.block(0, arrival.token == 3 ? 8 : 7)));
    sources[arrival.token] = arrival.source;
  }
  EXPECT_EQ(sources, (std::map<std::uint64_t, BlockSource>{{1, BlockSource::disk},
                                                           {2, BlockSource::shared},
                                                           {3, BlockSource::disk},
                                                           {4, BlockSource::shared}}));
  EXPECT_EQ(fs_.reads(), 2u);
  EXPECT_EQ(reader->counters().reads_4k, 2u);
  EXPECT_EQ(reader->counters().shared, 2u);
  // A block that is still held serves too, without a read.
  const BlockRequest again{0, 7, 9};
  EXPECT_EQ(reader->request({&again, 1}), 1u);
  EXPECT_EQ(reader->reading(), 0u);
  auto held = collect_all(*reader);
  EXPECT_EQ(held[0].token, 9u);
  EXPECT_EQ(held[0].source, BlockSource::shared);
  EXPECT_EQ(held[0].block.bytes().data(),
            std::ranges::find(arrivals, 1u, &BlockArrival::token)->block.bytes().data());
  arrivals.clear();
  EXPECT_TRUE(std::ranges::equal(held[0].block.bytes(), blocks_.block(0, 7)));
  held.clear();
  EXPECT_EQ(reader->request({&again, 1}), 1u);
  EXPECT_EQ(collect_all(*reader)[0].source, BlockSource::disk) << "released: read again";
}

TEST_F(SimBlocks, TakesNoMoreThanItHasBuffersFor) {
  auto reader = blocks_.reader({.buffers = 4});
  std::vector<BlockRequest> requests;
  for (std::uint64_t b = 0; b < 10; ++b) requests.push_back({0, b, b});
  EXPECT_EQ(reader->request(requests), 4u);
  auto arrivals = collect_all(*reader);
  EXPECT_EQ(reader->request(std::span(requests).subspan(4)), 0u) << "all buffers are held";
  arrivals.pop_back();
  EXPECT_EQ(reader->request(std::span(requests).subspan(4)), 1u);
  EXPECT_EQ(reader->outstanding(), 1u);
}

TEST_F(SimBlocks, TakesNoMoreRequestsThanAgreed) {
  auto reader = blocks_.reader({.buffers = 4, .requests_max = 6});
  const std::vector<BlockRequest> same(20, BlockRequest{0, 3, 1});
  EXPECT_EQ(reader->request(same), 6u);
  EXPECT_EQ(collect_all(*reader).size(), 6u);
  EXPECT_EQ(reader->request(same), 6u);
}

TEST_F(SimBlocks, DepthBoundsWhatIsRead) {
  auto reader = blocks_.reader({.buffers = 16, .device = {.depth = 3}});
  std::vector<BlockRequest> requests;
  for (std::uint64_t b = 0; b < 10; ++b) requests.push_back({0, b, b});
  EXPECT_EQ(reader->request(requests), 3u);
  EXPECT_EQ(reader->reading(), 3u);
}

TEST_F(SimBlocks, EveryCorruptionIsAnErrorThatNamesFileAndBlock) {
  for (const auto kind : {ReadFault::Kind::wrong_block, ReadFault::Kind::bit_flip,
                          ReadFault::Kind::zeros, ReadFault::Kind::torn}) {
    SCOPED_TRACE(sim::read_fault_name(kind));
    BlockCache* const no_cache = nullptr;
    auto reader = blocks_.reader({.buffers = 2}, no_cache);
    fs_.faults().clear();
    fs_.faults().add(ReadFault{.when = {.sticky = true}, .kind = kind});
    // More often than there are buffers: a buffer that is lost with its error would stop this.
    for (std::uint64_t b = 0; b < 10; ++b) {
      const std::vector<BlockRequest> both = {{0, b, 1}, {0, b, 2}};
      ASSERT_EQ(reader->request(both), 2u);
      for (const BlockArrival& arrival : collect_all(*reader)) {
        ASSERT_TRUE(arrival.error);
        EXPECT_FALSE(arrival.block);
        EXPECT_EQ(arrival.error->code, ErrorCode::corrupt);
        EXPECT_EQ(arrival.error->block, b);
        EXPECT_EQ(arrival.error->file, blocks_.path(0));
        EXPECT_NE(arrival.error->found, "");
        EXPECT_NE(arrival.error->expected, "");
      }
    }
    EXPECT_EQ(reader->counters().failed, 10u);
    EXPECT_EQ(reader->counters().retries, 0u);
  }
}

TEST_F(SimBlocks, ACorruptBlockIsNeverCached) {
  auto cache = must(BlockCache::create(1 << 20, 4096));
  auto reader = blocks_.reader({.buffers = 2}, cache.get());
  fs_.faults().add(ReadFault{.kind = ReadFault::Kind::bit_flip});
  const BlockRequest request{0, 5, 1};
  ASSERT_EQ(reader->request({&request, 1}), 1u);
  EXPECT_TRUE(collect_all(*reader)[0].error);
  EXPECT_EQ(cache->stats().blocks, 0u);
  ASSERT_EQ(reader->request({&request, 1}), 1u);
  EXPECT_EQ(collect_all(*reader)[0].source, BlockSource::disk);
}

TEST_F(SimBlocks, EioIsRepeatedOnceAndNothingElseIs) {
  struct Case {
    int error;
    bool sticky;
    bool arrives;
    std::uint64_t reads;
  };
  for (const Case& one : {Case{EIO, false, true, 2}, Case{EIO, true, false, 2},
                          Case{ENOMEM, false, false, 1}, Case{EAGAIN, false, false, 1}}) {
    SCOPED_TRACE(std::to_string(one.error) + (one.sticky ? " sticky" : " once"));
    sim::SimFs fs(4);
    Blocks blocks(fs, ".", {4096});
    auto reader = blocks.reader({.buffers = 1});
    fs.faults().add(ReadFault{.when = {.sticky = one.sticky}, .error = one.error});
    const std::vector<BlockRequest> both = {{0, 5, 1}, {0, 5, 2}};
    ASSERT_EQ(reader->request(both), 2u);
    for (const BlockArrival& arrival : collect_all(*reader)) {
      ASSERT_EQ(!arrival.error, one.arrives);
      if (one.arrives) continue;
      EXPECT_EQ(arrival.error->block, 5u);
      EXPECT_EQ(arrival.error->file, blocks.path(0));
    }
    EXPECT_EQ(fs.reads(), one.reads);
    EXPECT_EQ(reader->counters().reads_4k, one.reads);
    // The only buffer is free again.
    fs.faults().clear();
    const BlockRequest other{0, 6, 3};
    EXPECT_EQ(reader->request({&other, 1}), 1u);
    EXPECT_FALSE(collect_all(*reader)[0].error);
  }
}

TEST_F(SimBlocks, UntrustedNumbersAreRefused) {
  auto reader = blocks_.reader({.buffers = 2});
  const std::vector<BlockRequest> bad = {
      {0, kBlocks, 1}, {0, ~std::uint64_t{0}, 2}, {0, std::uint64_t{1} << 52, 3}, {1, 0, 4}};
  EXPECT_EQ(reader->request(bad), 4u);
  for (const BlockArrival& arrival : collect_all(*reader)) {
    ASSERT_TRUE(arrival.error);
    EXPECT_EQ(arrival.error->code,
              arrival.token == 4 ? ErrorCode::invalid_argument : ErrorCode::corrupt);
    EXPECT_EQ(arrival.error->block, bad[arrival.token - 1].block);
  }
  EXPECT_EQ(fs_.reads(), 0u);
}

TEST_F(SimBlocks, ALostReadDoesNotOutlastATimeLimit) {
  auto reader = blocks_.reader({.buffers = 4});
  fs_.faults().add(ReadFault{.kind = ReadFault::Kind::lost});
  const std::vector<BlockRequest> two = {{0, 1, 1}, {0, 2, 2}};
  ASSERT_EQ(reader->request(two), 2u);
  std::vector<BlockArrival> arrivals(4);
  std::uint32_t got = 0;
  for (int i = 0; i < 20; ++i) got += must(reader->collect(arrivals, 2, 500));
  EXPECT_EQ(got, 1u);
  EXPECT_EQ(reader->outstanding(), 1u);
  EXPECT_FALSE(reader->collect(arrivals, 1, -1));
}

TEST_F(SimBlocks, TheCacheServesEveryReader) {
  auto cache = must(BlockCache::create(1 << 20, 4096));
  auto first = blocks_.reader({.buffers = 2}, cache.get());
  auto second = blocks_.reader({.buffers = 2}, cache.get());
  const BlockRequest request{0, 5, 1};
  ASSERT_EQ(first->request({&request, 1}), 1u);
  EXPECT_EQ(collect_all(*first)[0].source, BlockSource::disk);
  ASSERT_EQ(second->request({&request, 1}), 1u);
  EXPECT_EQ(second->reading(), 0u);
  const auto arrivals = collect_all(*second);
  EXPECT_EQ(arrivals[0].source, BlockSource::cache);
  EXPECT_TRUE(std::ranges::equal(arrivals[0].block.bytes(), blocks_.block(0, 5)));
  EXPECT_EQ(second->counters().cache_hits, 1u);
  EXPECT_EQ(second->counters().reads_4k, 0u);
  EXPECT_EQ(fs_.reads(), 1u);
}

// Everything at once, by chance: each request arrives exactly once, right or with an error, and
// what is delivered without an error is what was written.
TEST(BlockReader, UnderRandomFaultsNothingIsLostDoubledOrWrong) {
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    sim::SimFs fs(seed);
    Blocks blocks(fs, ".", {4096, 8192});
    std::mt19937_64 random(seed);
    using Kind = ReadFault::Kind;
    for (const Kind kind : {Kind::error, Kind::early_end, Kind::wrong_block, Kind::bit_flip,
                            Kind::zeros, Kind::torn, Kind::late})
      fs.faults().add(ReadFault{.when = {.probability = 0.03, .sticky = true}, .kind = kind});
    auto cache = must(BlockCache::create(seed % 2 == 0 ? 100'000 : 2'000'000, 8192));
    auto reader = blocks.reader({.buffers = 1 + static_cast<std::uint32_t>(random() % 8),
                                 .device = {.depth = 1 + static_cast<std::uint32_t>(seed % 5)}},
                                seed % 3 == 0 ? nullptr : cache.get());
    std::map<std::uint64_t, BlockRequest> waiting;
    std::vector<BlockArrival> held;
    std::uint64_t next_token = 0;
    std::uint64_t arrived = 0;
    while (arrived < 400) {
      std::vector<BlockRequest> requests;
      for (std::uint64_t i = random() % 6; i > 0; --i)
        requests.push_back({static_cast<std::uint32_t>(random() % 2), random() % (kBlocks + 1),
                            next_token + requests.size()});
      const std::uint32_t taken = reader->request(requests);
      for (const BlockRequest& request : std::span(requests).first(taken))
        waiting[request.token] = request;
      next_token += taken;
      std::vector<BlockArrival> arrivals(1 + random() % 8);
      const auto least = static_cast<std::uint32_t>(random() % 3);
      const std::uint32_t outstanding = reader->outstanding();
      const std::uint32_t got = must(reader->collect(arrivals, least, -1));
      ASSERT_GE(got, std::min({least, outstanding, static_cast<std::uint32_t>(arrivals.size())}));
      for (BlockArrival& arrival : std::span(arrivals).first(got)) {
        ASSERT_EQ(waiting.count(arrival.token), 1u);
        const BlockRequest request = waiting[arrival.token];
        waiting.erase(arrival.token);
        ++arrived;
        failed += arrival.error != nullptr;
        if (arrival.error) {
          ASSERT_EQ(arrival.error->block, request.block);
          continue;
        }
        ASSERT_LT(request.block, kBlocks);
        ASSERT_TRUE(
            std::ranges::equal(arrival.block.bytes(), blocks.block(request.file, request.block)));
        if (random() % 4 == 0) held.push_back(std::move(arrival));
      }
      // Held blocks still say the same; then some go.
      while (held.size() > random() % 3) held.pop_back();
    }
    ASSERT_EQ(waiting.size(), reader->outstanding());
    held.clear();
  }
  EXPECT_GT(failed, 100u);
}

TEST(BlockReader, RealBackendsGiveTheSameBlocks) {
  const ScratchDir dir;
  Blocks blocks(posix_fs(), dir.path(), {4096, 12288});
  for (const Backend backend : {Backend::uring, Backend::pread, Backend::sync}) {
    auto made =
        BlockReader::create(posix_fs(), blocks.refs(),
                            {.buffers = 8, .device = {.backend = backend}}, nullptr, nullptr);
    if (!made) {
      ASSERT_EQ(backend, Backend::uring) << made.error().to_string();
      continue;
    }
    BlockReader& reader = **made;
    EXPECT_EQ(reader.backend(), backend);
    std::mt19937_64 random(5);
    for (int round = 0; round < 60; ++round) {
      std::vector<BlockRequest> requests;
      for (int i = 0; i < 8; ++i) {
        const auto file = static_cast<std::uint32_t>(random() % 2);
        const std::uint64_t block = random() % kBlocks;
        requests.push_back({file, block, file * 1000 + block});
      }
      ASSERT_EQ(reader.request(requests), 8u);
      for (const BlockArrival& arrival : collect_all(reader)) {
        ASSERT_FALSE(arrival.error);
        const auto file = static_cast<std::uint32_t>(arrival.token / 1000);
        ASSERT_TRUE(
            std::ranges::equal(arrival.block.bytes(), blocks.block(file, arrival.token % 1000)));
      }
    }
    EXPECT_GT(reader.counters().reads_4k, 480u) << "12 KiB blocks count three";
  }
}

TEST(BlockReader, AllocatesNothingPerRequest) {
  const ScratchDir dir;
  Blocks blocks(posix_fs(), dir.path(), {4096});
  for (const Backend backend : {Backend::automatic, Backend::sync}) {
    auto cache = must(BlockCache::create(16 * 4300, 4096));
    auto reader = blocks.reader({.buffers = 8, .device = {.backend = backend}}, cache.get());
    std::vector<BlockArrival> arrivals(8);
    std::vector<BlockRequest> requests(8);
    std::uint64_t next = 0;
    const auto round = [&] {
      for (BlockRequest& request : requests)
        request = {.block = next * next % kBlocks, .token = next}, ++next;
      ASSERT_EQ(reader->request(requests), 8u);
      ASSERT_EQ(reader->collect(arrivals, 8, -1).value(), 8u);
      for (BlockArrival& arrival : arrivals) arrival.block = {};
    };
    round();
    const std::uint64_t before = allocations_of_this_thread();
    for (int i = 0; i < 50; ++i) round();
    EXPECT_EQ(allocations_of_this_thread(), before) << backend_name(backend);
  }
}

TEST(BlockReader, ManyThreadsShareACache) {
  const ScratchDir dir;
  Blocks blocks(posix_fs(), dir.path(), {4096});
  auto cache = must(BlockCache::create(20 * 4300, 4096));
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      auto reader = blocks.reader({.buffers = 4}, cache.get());
      std::mt19937_64 random(t);
      for (int i = 0; i < 150; ++i) {
        std::vector<BlockRequest> requests;
        for (int r = 0; r < 4; ++r) {
          const std::uint64_t block = random() % kBlocks;
          requests.push_back({0, block, block});
        }
        ASSERT_EQ(reader->request(requests), 4u);
        for (const BlockArrival& arrival : collect_all(*reader)) {
          ASSERT_FALSE(arrival.error);
          ASSERT_TRUE(std::ranges::equal(arrival.block.bytes(), blocks.block(0, arrival.token)));
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(cache->stats().hits, 0u);
}

TEST(BlockReader, OptionsAreChecked) {
  sim::SimFs fs;
  Blocks blocks(fs, ".", {4096});
  const auto code = [&](const BlockReaderOptions& options, std::uint32_t block_bytes) {
    std::vector<BlockFile> files = blocks.refs();
    files[0].block_bytes = block_bytes;
    const auto made = BlockReader::create(fs, files, options, nullptr, nullptr);
    return made ? std::string("ok") : std::string(error_name(made.error().code));
  };
  EXPECT_EQ(code({}, 4096), "ok");
  EXPECT_EQ(code({.buffers = 0}, 4096), "invalid_argument");
  EXPECT_EQ(code({.buffers = 65'537}, 4096), "invalid_argument");
  EXPECT_EQ(code({}, 0), "invalid_argument");
  EXPECT_EQ(code({}, 4097), "invalid_argument");
  auto reader = blocks.reader({.buffers = 32});
  EXPECT_LT(reader->ram_bytes(), 32 * 4096u + 24'576) << "little beside the buffers";
}

}  // namespace
}  // namespace cairn::io
