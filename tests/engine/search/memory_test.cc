// The memory plan, and that an open index keeps to it. What its process takes: memory_cap_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "engine/search/memory_plan.h"
#include "engine/search/process_memory.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint64_t kNoCache = 0;

SegmentParts parts() {
  return {.fixed_bytes = 1000, .refine_bytes = {60, 90, 200, 150}, .slice_bytes = 100, .slices = 4};
}

TEST(MemoryPlan, NamesTheSmallestLimitThatWorks) {
  const SegmentParts one[] = {parts()};
  const auto plan = plan_memory(one, 50, 1049, kNoCache);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::over_limit);
  EXPECT_EQ(plan.error().expected, "at least 1050 bytes");
  const auto smallest = must(plan_memory(one, 50, 1050, kNoCache));
  EXPECT_EQ(smallest.loaded_bytes, 1050u);
  EXPECT_EQ(smallest.segments[0], SegmentPlan{});
}

TEST(MemoryPlan, LoadsInTheOrderOfBenefit) {
  const SegmentParts one[] = {parts()};
  const auto at = [&](std::uint64_t limit) {
    return must(plan_memory(one, 0, limit, kNoCache)).segments[0];
  };
  EXPECT_EQ(at(1060), (SegmentPlan{.layers = 1}));
  EXPECT_EQ(at(1150), (SegmentPlan{.layers = 2}));
  EXPECT_EQ(at(1250), (SegmentPlan{.layers = 2, .slices = 1}));
  EXPECT_EQ(at(1449), (SegmentPlan{.layers = 2, .slices = 2}));
  EXPECT_EQ(at(1450), (SegmentPlan{.layers = 3, .slices = 1}));
  EXPECT_EQ(at(1600), (SegmentPlan{.layers = 4, .slices = 1}));
  EXPECT_EQ(at(1700), (SegmentPlan{.layers = 4, .slices = 2}));
  EXPECT_EQ(at(9999), (SegmentPlan{.layers = 4, .slices = 4}));
  // What does not fit leaves its room to what does, but no layer is loaded without those before it.
  EXPECT_EQ(at(1059), (SegmentPlan{}));
  EXPECT_EQ(at(1149), (SegmentPlan{.layers = 1}));
  const SegmentParts coarse[] = {
      {.fixed_bytes = 1000, .refine_bytes = {300, 20}, .slice_bytes = 100, .slices = 4}};
  EXPECT_EQ(must(plan_memory(coarse, 0, 1250, kNoCache)).segments[0], (SegmentPlan{.slices = 2}));
}

TEST(MemoryPlan, OneLayerComesBeforeEdges) {
  const SegmentParts one[] = {
      {.fixed_bytes = 1000, .refine_bytes = {500}, .slice_bytes = 100, .slices = 4}};
  const auto at = [&](std::uint64_t limit) {
    return must(plan_memory(one, 0, limit, kNoCache)).segments[0];
  };
  EXPECT_EQ(at(1200), (SegmentPlan{.slices = 2}));
  EXPECT_EQ(at(1500), (SegmentPlan{.layers = 1}));
  EXPECT_EQ(at(1700), (SegmentPlan{.layers = 1, .slices = 2}));
}

TEST(MemoryPlan, NeverPlansMoreThanTheLimit) {
  const SegmentParts two[] = {parts(), {.fixed_bytes = 300, .slice_bytes = 7, .slices = 9}};
  for (std::uint64_t limit = 1300; limit < 200'000; limit += 97) {
    const auto plan = must(plan_memory(two, 0, limit, 1u << 20));
    EXPECT_LE(plan.loaded_bytes + plan.cache_bytes, limit);
    EXPECT_TRUE(plan.cache_bytes == 0 || plan.cache_bytes >= kCacheBytesMin);
    std::uint64_t bytes = 1300;
    for (std::size_t i = 0; i < 2; ++i) {
      bytes += plan.segments[i].slices * two[i].slice_bytes;
      for (std::uint32_t layer = 0; layer < plan.segments[i].layers; ++layer)
        bytes += two[i].refine_bytes[layer];
    }
    EXPECT_EQ(plan.loaded_bytes, bytes);
  }
}

TEST(MemoryPlan, GivesTheRestToTheCacheUpToAllBlocks) {
  const SegmentParts one[] = {parts()};
  EXPECT_EQ(must(plan_memory(one, 0, 1900 + kCacheBytesMin - 1, 1u << 20)).cache_bytes, 0u);
  EXPECT_EQ(must(plan_memory(one, 0, 1900 + kCacheBytesMin, 1u << 20)).cache_bytes, kCacheBytesMin);
  EXPECT_EQ(must(plan_memory(one, 0, 1u << 30, 1u << 20)).cache_bytes, 1u << 20);
}

TEST(MemoryPlan, WhatIsAskedForIsLoadedAsFarAsItIsThere) {
  const SegmentParts two[] = {parts(), {.fixed_bytes = 300, .slice_bytes = 7, .slices = 1}};
  const SegmentParts& rich = two[0];
  const MemoryPlan plan = plan_alike(two, 50, {.layers = 1, .slices = 2});
  EXPECT_EQ(plan.segments[0], (SegmentPlan{.layers = 1, .slices = 2}));
  EXPECT_EQ(plan.segments[1], (SegmentPlan{.layers = 0, .slices = 1}));
  EXPECT_EQ(plan.cache_bytes, 0U);
  EXPECT_EQ(plan.loaded_bytes,
            50 + rich.fixed_bytes + rich.refine_bytes[0] + 2 * rich.slice_bytes + 300 + 7);
  const MemoryPlan all = plan_alike(two, 50, {.layers = 99, .slices = 99});
  EXPECT_EQ(all.loaded_bytes, all_parts_bytes(two, 50));
}

TEST(MemoryPlan, DefaultsToEverythingWithinHalfOfTheProcess) {
  const SegmentParts one[] = {parts()};
  EXPECT_EQ(all_parts_bytes(one, 50), 1950u);
  EXPECT_EQ(default_limit(one, 50, 1u << 20), 1950u);
  EXPECT_EQ(default_limit(one, 50, 3000), 1500u);
}

// ---- the process

class FakeRoot {
 public:
  explicit FakeRoot(const std::string& groups) { put("/proc/self/cgroup", groups); }
  void put(const std::string& path, const std::string& content) {
    const std::filesystem::path full = dir_.path() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << content;
  }
  std::uint64_t bytes() const { return process_memory_bytes(dir_.path()); }

 private:
  ScratchDir dir_;
};

TEST(ProcessMemory, TakesTheLeastLimitOfTheGroupsAndTheirAncestors) {
  FakeRoot v2("0::/service/worker\n");
  EXPECT_GT(v2.bytes(), 64u << 20);
  v2.put("/sys/fs/cgroup/service/worker/memory.max", "max\n");
  v2.put("/sys/fs/cgroup/service/memory.max", "50000000\n");
  EXPECT_EQ(v2.bytes(), 50'000'000u);
  v2.put("/sys/fs/cgroup/service/worker/memory.max", "40000000\n");
  EXPECT_EQ(v2.bytes(), 40'000'000u);

  FakeRoot v1("5:devices:/a\n4:cpu,memory:/docker/123\n");
  v1.put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "30000000\n");
  EXPECT_EQ(v1.bytes(), 30'000'000u);
  v1.put("/sys/fs/cgroup/memory/docker/123/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(v1.bytes(), 30'000'000u);

  FakeRoot torn("nonsense\n:\n::\n");
  EXPECT_GT(torn.bytes(), 64u << 20);
}

// ---- the open index

TEST(Memory, KeepsEveryLimit) {
  const BuiltIndex& built = shared_index();
  const auto smallest = smallest_limit(built.folder);
  EXPECT_TRUE(fails_with(Index::open(built.folder, {.memory_limit_bytes = smallest - 1}),
                         ErrorCode::over_limit));
  std::uint64_t before = 0;
  for (std::uint64_t limit = smallest; limit < smallest + (4u << 20); limit += 40'000) {
    const auto stats = open_index(built, {.memory_limit_bytes = limit})->stats();
    EXPECT_LE(stats.index_ram_bytes, limit);
    EXPECT_GE(stats.index_ram_bytes + 64, before) << "more memory loads no less";
    before = stats.index_ram_bytes;
    EXPECT_EQ(stats.codes_ram_bytes + stats.refine_ram_bytes + stats.nav_ram_bytes +
                      stats.entries_ram_bytes + stats.cache_ram_bytes <=
                  stats.index_ram_bytes,
              true);
  }
}

TEST(Memory, LoadsAnyPrefixOfTheLayers) {
  const BuiltIndex& built = shared_index();
  const auto smallest = smallest_limit(built.folder);
  std::set<std::uint32_t> loaded;
  for (std::uint64_t limit = smallest; limit < smallest + (1u << 20); limit += 2'000) {
    const auto index = open_index(built, {.memory_limit_bytes = limit});
    if (!loaded.insert(index->stats().refine_bytes_loaded).second) continue;
    const SearchRequest request = request_for(built, 17);
    EXPECT_EQ(must(index->search(request)).neighbors.front().label, BuiltIndex::label_of(17));
    EXPECT_TRUE(must(index->verify()).ok());
  }
  EXPECT_EQ(loaded, (std::set<std::uint32_t>{0, 2, 5, 8}));
}

TEST(Memory, TakesALimitInBytesAVector) {
  const BuiltIndex& built = shared_index();
  const OpenOptions limited{.memory_limit_bytes_per_vector = 40.0};
  const auto stats = open_index(built, limited)->stats();
  EXPECT_LE(stats.index_ram_bytes, 40 * built.spec.count);
  EXPECT_GT(stats.index_ram_bytes, 30 * built.spec.count);
  for (const double bad : {-1.0, 0.0, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_TRUE(fails_with(Index::open(built.folder, {.memory_limit_bytes_per_vector = bad}),
                           ErrorCode::over_limit));
  EXPECT_TRUE(fails_with(Index::open(built.folder, {.memory_limit_bytes = 1u << 20,
                                                    .memory_limit_bytes_per_vector = 40.0}),
                         ErrorCode::invalid_argument));
}

TEST(Memory, DefaultLoadsEverythingAndNoCache) {
  const auto stats = open_index(shared_index())->stats();
  EXPECT_GE(stats.nav_edges_loaded, stats.degree_max);
  EXPECT_EQ(stats.refine_bytes_loaded, stats.refine_bytes);
  EXPECT_EQ(stats.cache_ram_bytes, 0u);
}

}  // namespace
}  // namespace cairn::search::testing
