// Batches: the same answers as one by one, in the place of their request, whatever fails among
// them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/search/open_index.h"
#include "io/device.h"
#include "io/forwarding_fs.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

std::vector<SearchRequest> requests_for(const BuiltIndex& built, std::uint64_t count) {
  std::vector<SearchRequest> requests;
  for (std::uint64_t i = 0; i < count; ++i) requests.push_back(request_for(built, i));
  return requests;
}

TEST(Batch, AnswersAsOneByOneAtAnyNumberOfReadsInFlight) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const auto expected = answers(*index, built, 100);
  const auto requests = requests_for(built, 100);
  for (const IoBackend io : {IoBackend::automatic, IoBackend::sync})
    for (const std::uint32_t reads : {0u, 1u, 3u, 32u, 5000u}) {
      const auto opened = open_index(built, {.io = io});
      const auto results = opened->search_batch(requests, {.reads_in_flight = reads});
      ASSERT_EQ(results.size(), requests.size());
      for (std::size_t i = 0; i < results.size(); ++i) {
        ASSERT_TRUE(results[i]) << results[i].error().to_string();
        EXPECT_TRUE(same_answer(*results[i], expected[i])) << i << " with " << reads;
      }
    }
  EXPECT_TRUE(index->search_batch({}).empty());
}

/// Notes the most reads that were handed to a device in one go, and the most under way.
class NotingFs final : public io::ForwardingFs {
 public:
  NotingFs() : io::ForwardingFs(io::posix_fs()) {}
  Result<std::unique_ptr<io::Device>> make_device(std::span<const io::ReadFile* const> files,
                                                  const io::DeviceOptions& options,
                                                  std::string* fallback_reason) override {
    CAIRN_ASSIGN(auto device, io::ForwardingFs::make_device(files, options, fallback_reason));
    return std::make_unique<Noting>(*this, std::move(device));
  }
  std::size_t together_max = 0, in_flight_max = 0;

 private:
  class Noting final : public io::Device {
   public:
    Noting(NotingFs& fs, std::unique_ptr<io::Device> to) : fs_(fs), to_(std::move(to)) {}
    std::uint32_t depth() const override { return to_->depth(); }
    std::uint32_t in_flight() const override { return to_->in_flight(); }
    io::Backend backend() const override { return to_->backend(); }
    bool stuck() const override { return to_->stuck(); }
    bool drain() override { return to_->drain(); }
    bool usable() const override { return to_->usable(); }
    Result<std::uint32_t> submit(std::span<const io::ReadOp> ops) override {
      fs_.together_max = std::max(fs_.together_max, ops.size());
      const auto taken = to_->submit(ops);
      fs_.in_flight_max = std::max(fs_.in_flight_max, std::size_t{to_->in_flight()});
      return taken;
    }
    Result<std::uint32_t> reap(std::span<io::ReadDone> done, std::uint32_t wait_min,
                               std::int64_t timeout_us) override {
      return to_->reap(done, wait_min, timeout_us);
    }

   private:
    NotingFs& fs_;
    std::unique_ptr<io::Device> to_;
  };
};

/// Started all at once when nothing is left to compute, reads and searches would wait for each
/// other in turn.
TEST(Batch, StartsReadsWhileSearchesCompute) {
  const BuiltIndex& built = shared_index();
  NotingFs fs;
  const OpenOptions options{.memory_limit_bytes = smallest_limit(built.folder),
                            .io = IoBackend::sync};
  const auto index = must(search::open_index(fs, built.folder, options));
  auto requests = requests_for(built, 100);
  for (SearchRequest& request : requests) request.slack = 0.1f;
  for (const auto& result : index->search_batch(requests, {.reads_in_flight = 32}))
    ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_GT(fs.together_max, 1u);
  EXPECT_LE(fs.together_max, 8u);
  EXPECT_GT(fs.in_flight_max, 16u);
}

TEST(Batch, QueriesThatShareTheDeviceReadOneBlockAtATime) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, {.memory_limit_bytes = smallest_limit(built.folder)});
  auto requests = requests_for(built, 100);
  for (SearchRequest& request : requests) request.slack = 1.0f;
  std::uint32_t alone = 0, shared = 0;
  for (const SearchRequest& request : requests) {
    const SearchCounters counters = index->search(request)->counters;
    EXPECT_LT(counters.rounds, counters.reads) << "four under way";
    alone += counters.reads;
  }
  index->drop_cache();
  for (const auto& result : index->search_batch(requests, {.reads_in_flight = 4}))
    shared += result->counters.reads + result->counters.shared + result->counters.cache_hits;
  EXPECT_LT(shared, alone);
}

TEST(Batch, FindsTheNearestWithEdgesOnDiskAlone) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, {.memory_limit_bytes = smallest_limit(built.folder)});
  EXPECT_EQ(index->stats().nav_edges_loaded, 0u);
  const auto requests = requests_for(built, 60);
  const auto results = index->search_batch(requests);
  std::size_t found = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i]) << results[i].error().to_string();
    const auto exact = exact_answer(built, requests[i]);
    for (const Neighbor& neighbor : results[i]->neighbors)
      found += std::ranges::count(exact, neighbor.label, &Neighbor::label) != 0 ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(found), 0.95 * 600);
}

TEST(Batch, ABadRequestFailsAlone) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const auto expected = answers(*index, built, 30);
  auto requests = requests_for(built, 30);
  for (std::size_t i = 0; i < 30; i += 7) requests[i].k = 0;
  const auto results = index->search_batch(requests);
  for (std::size_t i = 0; i < 30; ++i) {
    if (i % 7 == 0) {
      EXPECT_TRUE(fails_with(results[i], ErrorCode::invalid_argument));
    } else {
      ASSERT_TRUE(results[i]);
      EXPECT_TRUE(same_answer(*results[i], expected[i]));
    }
  }
}

TEST(Batch, ADamagedBlockFailsOnlyTheSearchesThatReadIt) {
  const BuiltIndex& built = shared_index();
  const auto expected = answers(*open_index(built), built, 100);
  const ScratchDir dir;
  copy_folder(built.folder, dir.file("copy"));
  flip_bit(file_of(dir.file("copy"), "blocks"), 3 * 4096 + 99);
  const auto index = must(Index::open(dir.file("copy")));
  const auto requests = requests_for(built, 100);
  const auto results = index->search_batch(requests);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) {
      EXPECT_TRUE(same_answer(*results[i], expected[i])) << i;
      continue;
    }
    ++failed;
    EXPECT_EQ(results[i].error().code, ErrorCode::corrupt);
    EXPECT_EQ(results[i].error().block, 3u);
  }
  EXPECT_GT(failed, 0u);
  EXPECT_LT(failed, 100u);
}

TEST(Batch, SharesReadsOfOneBlock) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const std::vector<SearchRequest> same(8, request_for(built, 11));
  const auto alone = must(index->search(same[0]));
  const auto before = index->stats().block_reads;
  const auto results = index->search_batch(same, {.reads_in_flight = 64});
  SearchCounters sum;
  for (const auto& result : results) {
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_TRUE(same_answer(*result, alone));
    EXPECT_EQ(result->counters.reads + result->counters.shared, alone.counters.reads);
    sum += result->counters;
  }
  EXPECT_LT(sum.reads, 8 * alone.counters.reads);
  EXPECT_EQ(index->stats().block_reads - before, sum.reads);
  EXPECT_GT(sum.shared, 0u);
  EXPECT_EQ(sum.cache_hits, 0u);  // the index has no cache
}

TEST(Batch, AThrowingFilterIsAnErrorOfItsSearch) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  auto requests = requests_for(built, 3);
  requests[1].allow = [](Label) -> bool { throw std::runtime_error("no"); };
  const auto results = index->search_batch(requests);
  EXPECT_TRUE(results[0]);
  EXPECT_TRUE(fails_with(results[1], ErrorCode::cancelled));
  EXPECT_TRUE(results[2]);
}

TEST(Batch, FiltersByLabel) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  auto request = request_for(built, 9);
  request.allow = [](Label label) { return label % 2 == 0; };
  const auto result = must(index->search(request));
  EXPECT_EQ(result.neighbors.size(), 10u);
  for (const Neighbor& neighbor : result.neighbors) EXPECT_EQ(neighbor.label % 2, 0u);
}

TEST(Batch, RunsOnManyThreadsAtOnce) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const auto expected = answers(*index, built, 50);
  const auto requests = requests_for(built, 50);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int round = 0; round < 3; ++round) {
        const auto results = index->search_batch(requests, {.reads_in_flight = 16});
        for (std::size_t i = 0; i < results.size(); ++i)
          EXPECT_TRUE(results[i] && same_answer(*results[i], expected[i]));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cairn::search::testing
