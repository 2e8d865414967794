#include "engine/build/graph_files.h"

#include <algorithm>
#include <random>

#include "engine/build/pack.h"
#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

SlotPlan plan_of(std::span<const std::uint64_t> cells, std::uint32_t slots_per_block) {
  std::vector<LinkedCell> linked(cells.size());
  for (std::size_t c = 0; c < cells.size(); ++c) {
    linked[c].cores = cells[c] - cells[c] / 3;
    linked[c].duplicates = cells[c] / 3;
  }
  return {linked, {.block_bytes = 4096, .slots = slots_per_block, .row_bytes = 4}};
}

constexpr layout::BlockShape kShape{.block_bytes = 4096, .slots = 10, .row_bytes = 4};

TEST(SlotPlan, FindsTheCellOfEverySlot) {
  const std::vector<std::vector<std::uint64_t>> all{
      {1}, {10}, {9, 10, 11, 1}, {0, 10, 0, 0, 5, 1, 0}, {0, 0, 1, 0}, {1, 1, 1, 30}, {10, 20, 30}};
  for (const auto& cells : all)
    for (const std::uint32_t per_block : {1U, 10U, 64U}) {
      const SlotPlan plan = plan_of(cells, per_block);
      ASSERT_EQ(plan.cells(), cells.size());
      std::uint64_t slot = 0;
      for (std::uint32_t c = 0; c < cells.size(); ++c) {
        EXPECT_EQ(plan.begin(c), slot);
        EXPECT_EQ(plan.slots(c), cells[c]);
        EXPECT_EQ(plan.places(c), (cells[c] + per_block - 1) / per_block * per_block);
        for (std::uint64_t i = 0; i < plan.places(c); ++i, ++slot) {
          EXPECT_EQ(plan.cell_of(slot), c) << "slot " << slot;
          EXPECT_EQ(plan.holds_vector(slot), i < cells[c]) << "slot " << slot;
        }
      }
      EXPECT_EQ(plan.total(), slot);
    }
}

/// Lists of any length up to the degree, pins on some.
Graph random_graph(std::uint64_t first_slot, std::uint32_t count, std::uint32_t degree,
                   std::uint64_t slots, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Graph graph(count, degree);
  graph.first_slot = first_slot;
  for (std::uint32_t i = 0; i < count; ++i) {
    graph.degree[i] = static_cast<std::uint16_t>(i == 0 ? degree : random() % (degree + 1));
    for (std::uint32_t& edge : graph.row(i)) edge = static_cast<std::uint32_t>(random() % slots);
    graph.pinned[i] =
        static_cast<std::uint16_t>(random() % (std::min<unsigned>(graph.degree[i], 3) + 1));
  }
  return graph;
}

void expect_rows(const ListChunk& chunk, const Graph& expected) {
  ASSERT_EQ(chunk.count(), expected.count());
  const Graph all = chunk.rows(0, chunk.count());
  EXPECT_EQ(all.degree, expected.degree);
  EXPECT_EQ(all.pinned, expected.pinned);
  std::vector<std::uint32_t> row(chunk.degree_max());
  for (std::uint32_t i = 0; i < chunk.count(); ++i) {
    ASSERT_TRUE(std::ranges::equal(all.row(i), expected.row(i))) << "row " << i;
    ASSERT_EQ(chunk.row(i, row.data()), expected.degree[i]);
    ASSERT_TRUE(std::ranges::equal(std::span(row).first(expected.degree[i]), expected.row(i)));
  }
}

ListChunk chunk_of(const ListShape& shape, const Graph& graph) {
  auto bytes = ListChunk::encode(shape, graph, kWorkers);
  EXPECT_EQ(bytes.size(), shape.chunk_bytes(graph.count()));
  bytes.resize(bytes.size() + layout::kNavPadBytes);
  return {shape, graph.first_slot, static_cast<std::uint32_t>(graph.count()), std::move(bytes)};
}

TEST(ListChunk, DecodesWhatWasEncoded) {
  for (const std::uint32_t degree : {8U, 9U, 24U, 64U, 257U, 512U})
    for (const std::uint64_t slots :
         {std::uint64_t{300}, std::uint64_t{1} << 20, std::uint64_t{0xffff'0000}}) {
      SCOPED_TRACE(std::to_string(degree) + " edges among " + std::to_string(slots));
      const ListShape shape = ListShape::of(degree, slots, kShape);
      const Graph graph = random_graph(100, 130, degree, slots, degree);
      const ListChunk chunk = chunk_of(shape, graph);
      expect_rows(chunk, graph);
      const Graph some = chunk.rows(7, 20);
      EXPECT_EQ(some.first_slot, 107U);
      for (std::uint32_t i = 0; i < 20; ++i)
        EXPECT_TRUE(std::ranges::equal(some.row(i), graph.row(7 + i)));
    }
}

TEST(ListChunk, TakesOtherRows) {
  const ListShape shape = ListShape::of(24, 5000, kShape);
  Graph graph = random_graph(50, 90, 24, 5000, 1);
  ListChunk chunk = chunk_of(shape, graph);
  EXPECT_TRUE(chunk.replaced().empty());
  for (const std::uint32_t begin : {20U, 70U, 20U}) {
    const Graph other = random_graph(50 + begin, 10, 24, 5000, begin + graph.degree[20]);
    chunk.replace(begin, other);
    for (std::uint32_t i = 0; i < 10; ++i) {
      graph.degree[begin + i] = other.degree[i];
      graph.pinned[begin + i] = other.pinned[i];
      std::ranges::copy(other.row(i), graph.row(begin + i).begin());
    }
    expect_rows(chunk, graph);
  }
  const auto replaced = chunk.replaced();
  EXPECT_EQ(replaced.size(), 20U);
  EXPECT_TRUE(std::ranges::equal(replaced.at(75), graph.row(75)));
}

TEST(GraphFiles, GiveTheChunksOfCells) {
  sim::SimFs fs;
  ASSERT_TRUE(ok(fs.make_dir("work")));
  const TempFiles temp(fs, "work", 3);
  const std::vector<std::uint64_t> cells{5, 0, 40'000, 1};
  const SlotPlan plan = plan_of(cells, 10);
  const ListShape shape = ListShape::of(16, plan.total(), kShape);
  EXPECT_EQ(shape.chunk_slots % 10, 0U);
  const GraphFiles files(temp, plan, shape);
  EXPECT_EQ(files.chunks_of(1).first, files.chunks_of(1).second);
  std::vector<Graph> graphs;
  for (std::uint32_t cell = 0; cell < plan.cells(); ++cell) {
    auto writer = must(temp.create(GraphFiles::name(cell)));
    const auto [first, last] = files.chunks_of(cell);
    for (std::uint32_t chunk = first; chunk < last; ++chunk) {
      ASSERT_EQ(chunk, graphs.size());
      graphs.push_back(
          random_graph(files.first_slot(chunk), files.count(chunk), 16, plan.total(), chunk));
      ASSERT_TRUE(ok(writer.append_stream(ListChunk::encode(shape, graphs.back(), kWorkers))));
    }
    must(writer.finish());
  }
  ASSERT_EQ(files.chunks(), graphs.size());
  EXPECT_GT(graphs.size(), 4U) << "a cell of several chunks";
  std::uint64_t slot = 0;
  for (std::uint32_t number = 0; number < files.chunks(); ++number) {
    EXPECT_EQ(files.first_slot(number), slot);
    const ListChunk chunk = must(files.read(number));
    EXPECT_EQ(chunk.first_slot(), slot);
    expect_rows(chunk, graphs[number]);
    for (const std::uint64_t s : {slot, slot + files.count(number) - 1})
      EXPECT_EQ(files.chunk_of(s), number);
    std::vector<std::byte> rows;
    for (std::uint32_t slice = 0; slice < shape.slices(); ++slice) {
      ASSERT_TRUE(ok(files.read_slice(number, slice, rows)));
      ASSERT_EQ(rows.size(), std::size_t{files.count(number)} * shape.bits);
      rows.resize(rows.size() + layout::kNavPadBytes);
      for (std::uint32_t i = 0; i < files.count(number); ++i)
        for (std::uint32_t e = 0; e < layout::kNavEdgesPerSlice; ++e) {
          const std::uint32_t place = slice * layout::kNavEdgesPerSlice + e;
          if (place >= graphs[number].degree[i]) continue;
          ASSERT_EQ(layout::nav_edge(rows.data() + std::size_t{i} * shape.bits, shape.bits, e),
                    graphs[number].row(i)[place]);
        }
    }
    slot += files.count(number);
  }
  EXPECT_EQ(slot, plan.total());
}

}  // namespace
}  // namespace cairn::build
