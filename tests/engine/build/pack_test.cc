#include "engine/build/pack.h"

#include <algorithm>
#include <random>

#include "layout/page.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

std::size_t encoded_bytes(const Graph& graph, std::size_t slot, std::size_t edges) {
  const auto row = graph.row(slot).first(edges);
  std::vector<std::uint32_t> sorted(row.begin(), row.end());
  std::sort(sorted.begin(), sorted.end());
  return layout::adjacency_bytes(static_cast<std::uint32_t>(graph.first_slot + slot), sorted);
}

/// Lists of `degree` random targets, the first `pins` of every third pinned.
Graph random_graph(std::uint32_t count, std::uint32_t degree, std::uint16_t pins,
                   std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Graph graph(count, degree);
  for (std::uint32_t s = 0; s < count; ++s) {
    while (graph.degree[s] < degree) {
      const auto to = static_cast<std::uint32_t>(random() % count);
      if (to == s || graph.has_edge(s, to)) continue;
      graph.edges[std::size_t{s} * degree + graph.degree[s]++] = to;
    }
    graph.pinned[s] = s % 3 == 0 ? pins : std::uint16_t{0};
  }
  return graph;
}

TEST(ChooseShape, HoldsWhatItPromises) {
  for (const std::uint32_t row : {1U, 4U, 100U, 128U, 500U, 960U, 3072U, 4000U, 16000U, 131072U})
    for (const double mean : {1.0, 60.0, 130.0, 700.0})
      for (const bool norms : {false, true}) {
        SCOPED_TRACE(std::to_string(row) + " bytes a row, " + std::to_string(mean) + " a list");
        const layout::BlockShape shape = choose_shape(row, norms, mean);
        ASSERT_TRUE(shape.valid());
        EXPECT_GE(shape.adjacency_capacity(), mean * shape.slots);
        EXPECT_LE(shape.slots, layout::kSlotsPerBlockMax);
        // No smaller usual block comes within 30 %, and none is better by more.
        const double bytes = static_cast<double>(shape.block_bytes) / shape.slots;
        const double row_needs = row + 8 + (norms ? 4 : 0) + 2 + mean;
        for (std::uint32_t block = 4096; block <= 16384; block += 4096) {
          const double slots = std::min(64.0, std::floor((block - 64) / row_needs));
          if (slots < 1) continue;
          EXPECT_LE(bytes, block / slots * 1.301);
        }
        EXPECT_TRUE(shape.block_bytes <= 16384 || row_needs + 72 > shape.block_bytes - 4096);
      }
  EXPECT_EQ(choose_shape(128, false, 130).block_bytes, 4096U);
  EXPECT_EQ(choose_shape(128, false, 130).slots, 15U);
}

TEST(FitBlocks, DropsOnlyWhatIsNotPinnedFromTheBack) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph before = random_graph(5000, 40, 5, seed);
    Graph graph = before;
    const layout::BlockShape shape = choose_shape(32, false, 40);
    std::uint64_t dropped = fit_blocks(graph, shape, kWorkers);
    EXPECT_GT(dropped, 0U);
    for (std::size_t first = 0; first < graph.count(); first += shape.slots) {
      std::size_t bytes = 0;
      std::uint16_t longest = 0, shortest_cut = 0xffff;
      for (std::size_t s = first; s < std::min(graph.count(), first + shape.slots); ++s) {
        bytes += encoded_bytes(graph, s, graph.degree[s]);
        ASSERT_GE(graph.degree[s], graph.pinned[s]);
        const auto kept = before.row(s).first(graph.degree[s]);
        EXPECT_TRUE(std::equal(kept.begin(), kept.end(), graph.row(s).begin()));
        dropped -= before.degree[s] - graph.degree[s];
        longest = std::max(longest, graph.degree[s]);
        if (graph.degree[s] < before.degree[s])
          shortest_cut = std::min(shortest_cut, graph.degree[s]);
      }
      EXPECT_LE(bytes, shape.adjacency_capacity());
      EXPECT_LE(longest, shortest_cut + 1) << "the longest list gives first";
    }
    EXPECT_EQ(dropped, 0U) << "counts what was dropped";
    EXPECT_EQ(graph.pinned, before.pinned);
  }
}

TEST(FitBlocks, LeavesWhatFits) {
  Graph graph = random_graph(500, 20, 2, 7);
  EXPECT_EQ(fit_blocks(graph, choose_shape(32, false, 60), kWorkers), 0U);
}

TEST(FitBlocks, IsTheSameForAnyNumberOfThreads) {
  Graph one = random_graph(3000, 40, 5, 9), four = one;
  const layout::BlockShape shape = choose_shape(32, false, 40);
  EXPECT_EQ(fit_blocks(one, shape, Workers(1)), fit_blocks(four, shape, Workers(4)));
  EXPECT_EQ(one.degree, four.degree);
}

// What the mean of lists is never below: without it, blocks of duplicates alone could not hold the
// edges that keep them together.
TEST(MeanAdjacencyBytes, LeavesRoomForTheEdgesOfDuplicates) {
  const double mean = mean_adjacency_bytes(100, 1, [](std::uint32_t i, auto&) { return i; });
  for (const std::uint32_t row : {1U, 100U, 3000U}) {
    const layout::BlockShape shape = choose_shape(row, true, mean);
    Graph graph(shape.slots, 8);
    graph.first_slot = 0xffe0'0000;
    for (std::uint32_t s = 0; s < shape.slots; ++s) {
      EXPECT_TRUE(graph.pin_edge(s, static_cast<std::uint32_t>(graph.first_slot) + s + 1));
      EXPECT_TRUE(graph.pin_edge(s, 5));  // its representative, as far as can be
    }
    EXPECT_LE(pinned_bytes(graph, shape, 0), shape.adjacency_capacity());
    EXPECT_EQ(fit_blocks(graph, shape, kWorkers), 0U);
  }
}

TEST(PinnedBytes, AreThoseOfPinnedEdgesAlone) {
  Graph graph = random_graph(400, 12, 3, 11);
  graph.first_slot = 128;
  const layout::BlockShape shape = choose_shape(200, false, 20);
  for (std::size_t first = 0; first < graph.count(); first += shape.slots) {
    std::size_t bytes = 0;
    for (std::size_t s = first; s < std::min(graph.count(), first + shape.slots); ++s)
      bytes += graph.pinned[s] == 0 ? 0 : encoded_bytes(graph, s, graph.pinned[s]);
    EXPECT_EQ(bytes, pinned_bytes(graph, shape, first));
  }
}

TEST(MeanAdjacencyBytes, IsTheMeanWhenAllAreSampled) {
  const Graph graph = random_graph(300, 12, 0, 13);
  double sum = 0;
  for (std::size_t s = 0; s < 300; ++s)
    sum += static_cast<double>(encoded_bytes(graph, s, graph.degree[s]));
  const auto list = [&](std::uint32_t s, std::vector<std::uint32_t>& targets) {
    targets.insert(targets.end(), graph.row(s).begin(), graph.row(s).end());
    return s;
  };
  EXPECT_DOUBLE_EQ(mean_adjacency_bytes(300, 1, list), sum / 300);
}

TEST(Graph, PinsBehindPinsAndDropsTheLast) {
  Graph graph(1, 4);
  graph.degree[0] = 4;
  for (std::uint32_t e = 0; e < 4; ++e) graph.row(0)[e] = 10 + e;
  EXPECT_TRUE(graph.pin_edge(0, 99));
  EXPECT_TRUE(graph.pin_edge(0, 11));  // an edge it has moves forward
  EXPECT_TRUE(graph.pin_edge(0, 99));  // and one that is pinned stays
  const auto row = graph.row(0);
  EXPECT_EQ(std::vector<std::uint32_t>(row.begin(), row.end()),
            (std::vector<std::uint32_t>{99, 11, 10, 12}));
  EXPECT_EQ(graph.pinned[0], 2U);
  EXPECT_TRUE(graph.pin_edge(0, 50));
  EXPECT_TRUE(graph.pin_edge(0, 51));
  EXPECT_FALSE(graph.pin_edge(0, 52));
  EXPECT_EQ(graph.degree[0], 4U);
}

}  // namespace
}  // namespace cairn::build
