// An explained search is the search: its answer, its rounds, its reads.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

/// One at a time, in the order in which they were asked for, so that two runs are alike.
OpenOptions shallow(std::uint32_t depth) { return {.io = IoBackend::sync, .io_depth = depth}; }

TEST(Explain, TellsTheSearchThatWasAskedFor) {
  const BuiltIndex& built = shared_index();
  for (const std::uint32_t depth : {1U, 2U, 3U, 64U}) {
    const auto index = open_index(built, shallow(depth));
    for (const std::uint32_t list_size : {20U, 100U, 3000U})
      for (const bool early : {false, true}) {
        SearchRequest request = request_for(built, 3);
        request.list_size = list_size;
        if (early) request.slack = 0.1F;
        SCOPED_TRACE(::testing::Message() << depth << " deep, list " << list_size);
        const SearchResult expected = must(index->search(request));
        const Explanation told = must(index->explain(request));
        EXPECT_TRUE(same_answer(told.result, expected));
        EXPECT_EQ(told.result.stop, expected.stop);
        EXPECT_EQ(told.result.counters.reads, expected.counters.reads);
        EXPECT_EQ(told.result.counters.rounds, expected.counters.rounds);
        EXPECT_EQ(told.result.counters.exact_distances, expected.counters.exact_distances);
        EXPECT_EQ(told.reads.size(), expected.counters.reads);
        EXPECT_LE(told.width, depth);
      }
  }
}

/// As in an index that has no edges in RAM, and knows as much of its codes.
TEST(Explain, EdgesAreLeftAloneWhenToldSo) {
  const auto index = open_index(shared_index(), shallow(1));
  ASSERT_GT(index->stats().nav_edges_loaded, 0U);
  SearchRequest request = request_for(shared_index(), 4);
  const Explanation walked = must(index->explain(request));
  EXPECT_TRUE(walked.edges);
  EXPECT_GT(walked.entry_expanded, 0U);
  request.edges = false;
  const Explanation led = must(index->explain(request));
  EXPECT_FALSE(led.edges);
  EXPECT_EQ(led.entry_expanded, 0U);
  EXPECT_GT(led.reads.front().expanded, 0U);
  EXPECT_EQ(led.result.neighbors.front().label, BuiltIndex::label_of(4));
}

TEST(Explain, AListOfAllVectorsFindsTheNearest) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, shallow(2));
  SearchRequest request = request_for(built, 8, 100);
  request.list_size = 3000;
  const Explanation told = must(index->explain(request));
  const auto exact = exact_answer(built, request);
  ASSERT_EQ(told.result.neighbors.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i)
    EXPECT_EQ(told.result.neighbors[i].distance, exact[i].distance) << i;
  const std::uint32_t scored =
      std::accumulate(told.reads.begin(), told.reads.end(), 0U,
                      [](std::uint32_t sum, const ExplainedRead& r) { return sum + r.vectors; });
  EXPECT_EQ(scored, built.spec.count);
}

TEST(Explain, WhatIsInTheCacheIsNoRoundAndReadsAreCounted) {
  const BuiltIndex& built = shared_index();
  OpenOptions options = shallow(4);
  options.memory_limit_bytes = smallest_limit(built.folder) + (4u << 20);
  const auto index = open_index(built, options);
  const SearchRequest request = request_for(built, 5);
  const Explanation cold = must(index->explain(request));
  EXPECT_GT(cold.result.counters.rounds, 0U);
  const IndexStats after = index->stats();
  EXPECT_EQ(after.block_reads, cold.result.counters.reads);
  EXPECT_EQ(after.cache_misses, cold.reads.size());
  const Explanation warm = must(index->explain(request));
  EXPECT_EQ(warm.result.counters.rounds, 0U);
  EXPECT_EQ(warm.result.counters.reads, 0U);
  for (const ExplainedRead& read : warm.reads) EXPECT_EQ(read.round, 0U);
  EXPECT_EQ(index->stats().block_reads, after.block_reads);
  EXPECT_EQ(index->stats().cache_hits, warm.reads.size());
}

TEST(Explain, ADamagedBlockIsNamed) {
  const BuiltIndex& built = shared_index();
  const ScratchDir dir;
  const std::string folder = dir.file("copy");
  copy_folder(built.folder, folder);
  flip_bit(file_of(folder, "blocks"), 5 * 4096 + 700);
  const auto index = must(Index::open(folder, shallow(2)));
  SearchRequest request = request_for(built, 0);
  request.list_size = 3000;
  const auto told = index->explain(request);
  ASSERT_TRUE(fails_with(told, ErrorCode::corrupt));
  EXPECT_EQ(told.error().file, file_of(folder, "blocks"));
  EXPECT_EQ(told.error().block, 5U);
}

}  // namespace
}  // namespace cairn::search::testing
