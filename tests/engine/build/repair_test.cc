#include "engine/build/repair.h"

#include <algorithm>
#include <random>

#include "engine/build/pack.h"
#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

/// A graph of slots in the order of `rows`, and what a repair needs beside it.
struct Case {
  Rows rows;
  Graph graph;
  layout::Entries entries;
  layout::BlockShape shape;
  std::vector<std::uint32_t> slots = iota_order(rows.count());

  Result<RepairReport> run() { return repair(graph, shape, {rows.batch(), slots}, entries); }
  std::uint64_t unreachable() const {
    const auto reached = reachable_slots(graph, entries);
    return static_cast<std::uint64_t>(std::count(reached.begin(), reached.end(), false));
  }
  std::uint64_t without_in_edge() const {
    std::vector<bool> has(graph.count());
    for (std::size_t s = 0; s < graph.count(); ++s)
      for (const std::uint32_t to : graph.row(s)) has[to] = true;
    return static_cast<std::uint64_t>(std::count(has.begin(), has.end(), false));
  }
  void expect_fits() const {
    Graph copy = graph;
    EXPECT_EQ(fit_blocks(copy, shape, kWorkers), 0U);
  }
};

layout::Entries entries_at(std::vector<std::uint32_t> slots) {
  return {.heads = {slots.front()},
          .begins = {0, static_cast<std::uint32_t>(slots.size())},
          .slots = slots};
}

/// Groups of `size` consecutive slots, each a ring: a slot leads to those after it, and only there.
Case islands(std::uint32_t count, std::uint32_t size, std::uint32_t degree, std::uint64_t seed) {
  Case c{random_rows(count, 8, DType::u8, seed), Graph(count, degree), entries_at({0}),
         choose_shape(8, false, 20)};
  for (std::uint32_t s = 0; s < count; ++s) {
    const std::uint32_t first = s / size * size, members = std::min(size, count - first);
    for (std::uint32_t step = 1; step < members && c.graph.degree[s] < degree; ++step)
      c.graph.edges[s * degree + c.graph.degree[s]++] = first + (s - first + step) % members;
  }
  return c;
}

TEST(Repair, LeavesAWholeGraphAlone) {
  Case c = islands(40, 40, 64, 1);
  const Graph before = c.graph;
  const RepairReport report = must(c.run());
  EXPECT_EQ(report.edges, 0U);
  EXPECT_EQ(report.passes, 1U);
  EXPECT_EQ(c.graph.edges, before.edges);
}

TEST(Repair, TiesIslandsTogether) {
  for (const std::uint32_t size : {1U, 2U, 7U, 100U}) {
    SCOPED_TRACE("islands of " + std::to_string(size));
    Case c = islands(1000, size, 8, 2);
    fit_blocks(c.graph, c.shape, kWorkers);
    EXPECT_GT(c.unreachable(), 0U);
    const RepairReport report = must(c.run());
    EXPECT_EQ(c.unreachable(), 0U);
    EXPECT_EQ(c.without_in_edge(), 0U);
    EXPECT_GE(report.edges, 1000 / size - 1);
    c.expect_fits();
  }
}

TEST(Repair, GivesAnInEdgeToAnEntryPointWithoutOne) {
  Case c = islands(50, 50, 64, 3);
  for (std::uint32_t s = 0; s < 50; ++s) {  // nobody leads to slot 0, the entry
    auto row = c.graph.row(s);
    const auto end = std::remove(row.begin(), row.end(), 0U);
    c.graph.degree[s] = static_cast<std::uint16_t>(end - row.begin());
  }
  ASSERT_EQ(c.unreachable(), 0U);
  ASSERT_EQ(c.without_in_edge(), 1U);
  EXPECT_EQ(must(c.run()).edges, 1U);
  EXPECT_EQ(c.without_in_edge(), 0U);
}

TEST(Repair, TakesTheNearestNeighbourThatIsReachable) {
  // A line of points 0, 10, 20, ...; slot 5 knows its neighbours, but none knows it.
  Case c{random_rows(12, 1, DType::u8, 1), Graph(12, 8), entries_at({0}),
         choose_shape(1, false, 20)};
  for (std::uint32_t s = 0; s < 12; ++s) c.rows.bytes[s] = static_cast<std::byte>(s * 10);
  c.rows.bytes[5] = std::byte{52};
  const auto link = [&](std::uint32_t from, std::uint32_t to) {
    c.graph.edges[from * 8 + c.graph.degree[from]++] = to;
  };
  for (std::uint32_t s = 0; s < 12; ++s) {
    if (s + 1 < 12 && s + 1 != 5) link(s, s + 1);
    if (s > 0 && s - 1 != 5) link(s, s - 1);
  }
  link(4, 6);
  EXPECT_EQ(must(c.run()).edges, 1U);
  EXPECT_TRUE(c.graph.has_edge(6, 5)) << "60 is nearer to 52 than 40 is";
  EXPECT_EQ(c.graph.row(6)[0], 5U);
  EXPECT_EQ(c.graph.pinned[6], 1U);
}

TEST(Repair, SkipsSlotsWhoseEveryPlaceIsPinned) {
  Case c = islands(200, 50, 8, 4);
  for (std::uint32_t s = 0; s < 50; ++s)
    if (s != 17) c.graph.pinned[s] = c.graph.degree[s];
  // Slot 17 must be reachable for the rest to hang on it.
  c.entries = entries_at({0, 17});
  must(c.run());
  EXPECT_EQ(c.unreachable(), 0U);
  for (std::uint32_t s = 0; s < 50; ++s)
    for (const std::uint32_t to : c.graph.row(s)) EXPECT_TRUE(s == 17 || to < 50U);
}

TEST(Repair, SaysWhenThereIsNoRoom) {
  Case c = islands(30, 15, 8, 5);
  for (std::uint32_t s = 0; s < 15; ++s) c.graph.pinned[s] = c.graph.degree[s];
  const auto report = c.run();
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::over_limit, {"no room", "degree"});
}

TEST(Repair, NeverDropsAPinnedEdge) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Case c = islands(600, 3, 8, seed);
    c.shape = choose_shape(8, false, 6);  // tight: fitting drops edges all the time
    for (std::uint32_t s = 0; s < 600; ++s)
      c.graph.pinned[s] = static_cast<std::uint16_t>(random() % 2);
    ASSERT_TRUE(make_pinned_fit(c.graph, c.shape));
    fit_blocks(c.graph, c.shape, kWorkers);
    const Graph before = c.graph;
    must(c.run());
    for (std::uint32_t s = 0; s < 600; ++s)
      for (const std::uint32_t to : before.row(s).first(before.pinned[s]))
        EXPECT_TRUE(c.graph.has_edge(s, to));
    EXPECT_EQ(c.unreachable(), 0U);
    EXPECT_EQ(c.without_in_edge(), 0U);
    c.expect_fits();
  }
}

TEST(Repair, OfOneVectorIsNothing) {
  Case c{random_rows(1, 4, DType::u8, 1), Graph(1, 8), entries_at({0}), choose_shape(4, false, 2)};
  EXPECT_EQ(must(c.run()).edges, 0U);
}

}  // namespace
}  // namespace cairn::build
