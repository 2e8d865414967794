#include "engine/build/repair.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/build/pack.h"
#include "engine/build/walk.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

/// Lists in RAM, in chunks that end where cells do, as those of files.
class MemoryLists final : public ListStore {
 public:
  MemoryLists(const Graph& graph, const SlotPlan& plan, ListShape shape) : shape_(shape) {
    for (std::uint32_t cell = 0; cell < plan.cells(); ++cell)
      for (std::uint64_t at = 0; at < plan.places(cell); at += shape.chunk_slots) {
        const std::uint64_t first = plan.begin(cell) + at;
        const std::uint64_t count =
            std::min<std::uint64_t>(shape.chunk_slots, plan.places(cell) - at);
        Graph part(count, graph.degree_max);
        for (std::uint64_t i = 0; i < count; ++i) {
          part.degree[i] = graph.degree[first + i];
          part.pinned[i] = graph.pinned[first + i];
          std::ranges::copy(graph.row(first + i), part.row(i).begin());
        }
        firsts_.push_back(first);
        counts_.push_back(static_cast<std::uint32_t>(count));
        bytes_.push_back(ListChunk::encode(shape, part, kWorkers));
        bytes_.back().resize(bytes_.back().size() + layout::kNavPadBytes);
      }
  }
  const ListShape& shape() const override { return shape_; }
  std::uint32_t chunks() const override { return static_cast<std::uint32_t>(firsts_.size()); }
  std::uint32_t chunk_of(std::uint64_t slot) const override {
    return static_cast<std::uint32_t>(std::ranges::upper_bound(firsts_, slot) - firsts_.begin()) -
           1;
  }
  Result<ListChunk> read(std::uint32_t chunk) const override {
    return ListChunk(shape_, firsts_[chunk], counts_[chunk], bytes_[chunk]);
  }

 private:
  ListShape shape_;
  std::vector<std::uint64_t> firsts_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::vector<std::byte>> bytes_;
};

SlotPlan plan_of(std::span<const std::uint64_t> cells, const layout::BlockShape& shape) {
  std::vector<LinkedCell> linked(cells.size());
  for (std::size_t c = 0; c < cells.size(); ++c) linked[c].cores = cells[c];
  return {linked, shape};
}

/// A graph over the places of cells, and what a repair needs beside it. Vectors are in slot order.
struct Case {
  Case(std::vector<std::uint64_t> cells, std::uint32_t degree, std::uint64_t seed,
       double list_bytes = 20)
      : shape(choose_shape(8, false, list_bytes)),
        plan(plan_of(cells, shape)),
        graph(plan.total(), degree),
        rows(random_rows(plan.total(), 8, DType::u8, seed)) {
    for (std::uint32_t cell = 0; cell < plan.cells(); ++cell)
      for (std::uint64_t i = 0; i < plan.slots(cell); ++i)
        slots.push_back(static_cast<std::uint32_t>(plan.begin(cell) + i));
  }
  void link(std::uint32_t from, std::uint32_t to) {
    graph.edges[std::size_t{from} * graph.degree_max + graph.degree[from]++] = to;
  }
  void set_entries(std::vector<std::uint32_t> at) {
    entries = {
        .heads = {at.front()}, .begins = {0, static_cast<std::uint32_t>(at.size())}, .slots = at};
  }
  /// One entry a cell, as a build has them.
  void set_entries() {
    std::vector<std::uint32_t> at;
    for (std::uint32_t cell = 0; cell < plan.cells(); ++cell)
      if (plan.slots(cell) != 0) at.push_back(static_cast<std::uint32_t>(plan.begin(cell)));
    set_entries(at);
  }

  /// Puts the pins into the graph.
  Result<RepairReport> run() {
    const MemoryLists lists(graph, plan,
                            {.degree_max = graph.degree_max,
                             .bits = layout::nav_bits(plan.total()),
                             .chunk_slots = 3 * shape.slots});
    EXPECT_GT(lists.chunks(), plan.total() > 3 * shape.slots ? 1U : 0U);
    CAIRN_ASSIGN(RepairReport report,
                 repair(lists, plan, shape, entries,
                        [&](std::uint32_t cell, const auto& use) { return with(cell, use); }, {}));
    for (std::uint32_t number = 0; number < lists.chunks(); ++number) {
      ListChunk chunk = must(lists.read(number));
      report.pins.apply(shape, chunk);
      const Graph after = chunk.rows(0, chunk.count());
      for (std::uint32_t i = 0; i < chunk.count(); ++i) {
        const std::uint64_t slot = chunk.first_slot() + i;
        graph.degree[slot] = after.degree[i];
        graph.pinned[slot] = after.pinned[i];
        std::ranges::copy(after.row(i), graph.row(slot).begin());
      }
    }
    return report;
  }
  Status with(std::uint32_t cell, const std::function<Status(const CellVectors&)>& use) const {
    CellVectors vectors{plan.begin(cell), iota_order(plan.slots(cell)), rows.batch()};
    for (std::uint32_t& row : vectors.slot_row) row += static_cast<std::uint32_t>(plan.begin(cell));
    return use(vectors);
  }

  std::uint64_t unreachable() const {
    std::vector<bool> reached(graph.count());
    std::vector<std::uint32_t> stack;
    const auto reach = [&](std::uint32_t slot) {
      if (!reached[slot]) stack.push_back(slot);
      reached[slot] = true;
    };
    for (const std::uint32_t slot : entries.slots) reach(slot);
    while (!stack.empty()) {
      const std::uint32_t slot = stack.back();
      stack.pop_back();
      for (const std::uint32_t to : graph.row(slot)) reach(to);
    }
    return static_cast<std::uint64_t>(
        std::ranges::count_if(slots, [&](std::uint32_t slot) { return !reached[slot]; }));
  }
  std::uint64_t without_in_edge() const {
    std::vector<bool> has(graph.count());
    for (std::size_t s = 0; s < graph.count(); ++s)
      for (const std::uint32_t to : graph.row(s)) has[to] = true;
    return static_cast<std::uint64_t>(
        std::ranges::count_if(slots, [&](std::uint32_t slot) { return !has[slot]; }));
  }
  void expect_repaired() const {
    EXPECT_EQ(unreachable(), 0U);
    EXPECT_EQ(without_in_edge(), 0U);
    Graph copy = graph;
    EXPECT_EQ(fit_blocks(copy, shape, kWorkers), 0U) << "lists fit their blocks";
    for (std::size_t s = 0; s < graph.count(); ++s)
      for (const std::uint32_t to : graph.row(s)) EXPECT_TRUE(plan.holds_vector(to));
  }

  layout::BlockShape shape;
  SlotPlan plan;
  Graph graph;
  Rows rows;  // by slot, of empty places too
  layout::Entries entries;
  std::vector<std::uint32_t> slots;  // those that hold a vector
};

/// Groups of `size` consecutive vectors, each a ring: one leads to those after it, and only there.
Case islands(std::vector<std::uint64_t> cells, std::uint32_t size, std::uint32_t degree,
             std::uint64_t seed, double list_bytes = 20) {
  Case c(std::move(cells), degree, seed, list_bytes);
  const auto count = static_cast<std::uint32_t>(c.slots.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t first = i / size * size, members = std::min(size, count - first);
    for (std::uint32_t step = 1; step < members && step <= degree; ++step)
      c.link(c.slots[i], c.slots[first + (i - first + step) % members]);
  }
  c.set_entries();
  return c;
}

TEST(Repair, LeavesAWholeGraphAlone) {
  Case c = islands({40}, 40, 64, 1);
  const Graph before = c.graph;
  const RepairReport report = must(c.run());
  EXPECT_EQ(report.pins.count(), 0U);
  EXPECT_EQ(report.passes, 1U);
  EXPECT_EQ(report.dropped, 0U);
  EXPECT_EQ(c.graph.edges, before.edges);
}

TEST(Repair, TiesIslandsTogether) {
  for (const std::vector<std::uint64_t>& cells :
       {std::vector<std::uint64_t>{1000}, std::vector<std::uint64_t>{333, 0, 1, 66, 600}})
    for (const std::uint32_t size : {1U, 2U, 7U, 100U}) {
      SCOPED_TRACE("islands of " + std::to_string(size) + ", cells " +
                   std::to_string(cells.size()));
      Case c = islands(cells, size, 8, 2);
      fit_blocks(c.graph, c.shape, kWorkers);
      EXPECT_GT(c.unreachable(), 0U);
      const RepairReport report = must(c.run());
      c.expect_repaired();
      EXPECT_GE(report.pins.count(), 1000 / size - cells.size());
    }
}

TEST(Repair, GivesAnInEdgeToAnEntryPointWithoutOne) {
  Case c = islands({50}, 50, 64, 3);
  for (std::uint32_t s = 0; s < 50; ++s) {  // nobody leads to slot 0, the entry
    auto row = c.graph.row(s);
    const auto end = std::remove(row.begin(), row.end(), 0U);
    c.graph.degree[s] = static_cast<std::uint16_t>(end - row.begin());
  }
  ASSERT_EQ(c.unreachable(), 0U);
  ASSERT_EQ(c.without_in_edge(), 1U);
  EXPECT_EQ(must(c.run()).pins.count(), 1U);
  EXPECT_EQ(c.without_in_edge(), 0U);
}

// One vector far from all others is a cell of its own: no slot of the cell can lead to it.
TEST(Repair, LeadsToTheOnlyVectorOfACellFromAnother) {
  for (const std::vector<std::uint64_t>& cells :
       {std::vector<std::uint64_t>{1, 500}, std::vector<std::uint64_t>{500, 1},
        std::vector<std::uint64_t>{1, 1, 1}}) {
    Case c = islands(cells, 1, 8, 5);
    must(c.run());
    c.expect_repaired();
  }
}

TEST(Repair, TakesTheNearestNeighbourThatIsReachable) {
  // A line of points 0, 10, 20, ...; slot 5 knows its neighbours, but none knows it.
  Case c({12}, 8, 1);
  c.set_entries({0});
  std::ranges::fill(c.rows.bytes, std::byte{0});
  for (std::uint32_t s = 0; s < 12; ++s) c.rows.row(s)[0] = static_cast<std::byte>(s * 10);
  c.rows.row(5)[0] = std::byte{52};
  for (std::uint32_t s = 0; s < 12; ++s) {
    if (s + 1 < 12 && s + 1 != 5) c.link(s, s + 1);
    if (s > 0 && s - 1 != 5) c.link(s, s - 1);
  }
  c.link(4, 6);
  EXPECT_EQ(must(c.run()).pins.count(), 1U);
  EXPECT_TRUE(c.graph.has_edge(6, 5)) << "60 is nearer to 52 than 40 is";
  EXPECT_EQ(c.graph.row(6)[0], 5U);
  EXPECT_EQ(c.graph.pinned[6], 1U);
}

TEST(Repair, SkipsSlotsWhoseEveryPlaceIsPinned) {
  Case c = islands({200}, 50, 8, 4);
  for (std::uint32_t s = 0; s < 50; ++s)
    if (s != 17) c.graph.pinned[s] = c.graph.degree[s];
  // Slot 17 must be reachable for the rest to hang on it.
  c.set_entries({0, 17});
  must(c.run());
  c.expect_repaired();
  for (std::uint32_t s = 0; s < 50; ++s)
    for (const std::uint32_t to : c.graph.row(s)) EXPECT_TRUE(s == 17 || to < 50U);
}

TEST(Repair, SaysWhenThereIsNoRoom) {
  Case c = islands({30}, 15, 8, 5);
  for (std::uint32_t s = 0; s < 15; ++s) c.graph.pinned[s] = c.graph.degree[s];
  const auto report = c.run();
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::over_limit, {"no room", "degree"});
}

TEST(Repair, NeverDropsAPinnedEdge) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    // Tight: fitting drops edges all the time.
    Case c = islands({250, 350}, 3, 8, seed, 12);
    for (const std::uint32_t s : c.slots)
      c.graph.pinned[s] = std::min(c.graph.degree[s], static_cast<std::uint16_t>(random() % 2));
    fit_blocks(c.graph, c.shape, kWorkers);
    const Graph before = c.graph;
    must(c.run());
    for (const std::uint32_t s : c.slots)
      for (const std::uint32_t to : before.row(s).first(before.pinned[s]))
        EXPECT_TRUE(c.graph.has_edge(s, to));
    c.expect_repaired();
  }
}

TEST(Repair, CountsWhatItDropped) {
  Case c = islands({900}, 12, 8, 8, 12);
  fit_blocks(c.graph, c.shape, kWorkers);
  const auto edges = [&] {
    return std::accumulate(c.graph.degree.begin(), c.graph.degree.end(), std::uint64_t{0});
  };
  const std::uint64_t before = edges();
  const RepairReport report = must(c.run());
  EXPECT_GT(report.dropped, 0U);
  EXPECT_EQ(edges(), before + report.pins.count() - report.dropped);
}

TEST(Repair, OfOneVectorIsNothing) {
  Case c({1}, 8, 1);
  c.set_entries();
  EXPECT_EQ(must(c.run()).pins.count(), 0U);
}

TEST(Repair, IsCancelledBetweenChunks) {
  const Case c = islands({1000}, 100, 8, 2);
  const MemoryLists lists(
      c.graph, c.plan,
      {.degree_max = 8, .bits = layout::nav_bits(c.plan.total()), .chunk_slots = c.shape.slots});
  const auto report = repair(
      lists, c.plan, c.shape, c.entries,
      [&](std::uint32_t cell, const auto& use) { return c.with(cell, use); },
      [](const char*, std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::cancelled);
}

TEST(Pins, SurviveTheJournal) {
  Pins pins;
  pins.add(7, 9);
  pins.add(0xffff'fff0U, 1);
  pins.add(7, 3);  // behind the other of the same slot
  const Pins back = Pins::from(pins.words());
  EXPECT_EQ(back.count(), 3U);
  EXPECT_EQ(back.words(), pins.words());
  EXPECT_EQ(back.sources(), (std::vector<std::uint32_t>{7, 0xffff'fff0U}));
  EXPECT_EQ(pins.words().front(), (std::uint64_t{7} << 32 | 9));
}

/// Whom a walk reaches does not depend on how the lists are cut.
TEST(Walk, ReachesWhatEdgesLeadTo) {
  std::mt19937_64 random(3);
  Case c({300, 5, 700}, 8, 6);
  for (const std::uint32_t s : c.slots)
    if (random() % 3 == 0) c.link(s, c.slots[random() % c.slots.size()]);
  c.set_entries({c.slots[0], c.slots[301]});
  for (const std::uint32_t chunk_blocks : {1U, 2U, 100U}) {
    const MemoryLists store(c.graph, c.plan,
                            {.degree_max = 8,
                             .bits = layout::nav_bits(c.plan.total()),
                             .chunk_slots = chunk_blocks * c.shape.slots});
    const Pins pins;
    PinnedLists lists(store, c.shape, pins);
    Walk walk(lists, c.plan.total());
    for (const std::uint32_t slot : c.entries.slots) walk.reach(slot);
    ASSERT_TRUE(ok(walk.run({})));
    std::uint64_t missed = 0;
    for (const std::uint32_t s : c.slots) missed += walk.reached(s) ? 0U : 1U;
    EXPECT_EQ(missed, c.unreachable());
  }
}

}  // namespace
}  // namespace cairn::build
