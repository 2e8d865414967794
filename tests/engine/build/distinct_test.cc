#include "engine/build/distinct.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

/// First equal row of every row, by comparing with all before it.
std::vector<std::uint32_t> first_equal(const Rows& rows) {
  const VectorBatch batch = rows.batch();
  std::vector<std::uint32_t> first(batch.count);
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    first[i] = i;
    for (std::uint32_t j = 0; j < i && first[i] == i; ++j)
      if (std::memcmp(batch.row(i).data, batch.row(j).data, batch.row_bytes()) == 0) first[i] = j;
  }
  return first;
}

TEST(Distinct, FindsEveryEqualRow) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Rows rows = random_rows(300, 6, DType::i8, seed);
    for (int copies = 0; copies < 150; ++copies) copy_row(rows, random() % 300, random() % 300);
    const std::vector<std::uint32_t> first = first_equal(rows);
    const Distinct distinct = find_distinct(rows.batch(), kWorkers);
    EXPECT_TRUE(std::is_sorted(distinct.rows.begin(), distinct.rows.end()));
    EXPECT_EQ(distinct.rows.size() + distinct.duplicates.size(), 300U);
    for (const std::uint32_t row : distinct.rows) EXPECT_EQ(first[row], row);
    for (const Duplicate& d : distinct.duplicates) {
      EXPECT_EQ(distinct.rows[d.of], first[d.row]);
      EXPECT_NE(first[d.row], d.row);
    }
  }
}

TEST(Distinct, ChainLeadsThroughAllDuplicates) {
  Rows rows = random_rows(60, 4, DType::u8, 3);
  for (const std::uint64_t to : {5U, 9U, 30U, 59U}) copy_row(rows, 2, to);
  copy_row(rows, 40, 41);
  const Distinct distinct = find_distinct(rows.batch(), kWorkers);
  ASSERT_EQ(distinct.duplicates.size(), 5U);
  std::vector<std::byte> compact;
  for (const std::uint32_t row : distinct.rows)
    compact.insert(compact.end(), rows.row(row).begin(), rows.row(row).end());
  const Rows kept{compact, 4, DType::u8};
  const Graph graph = nearest_graph(kept.batch(), 8, 8);
  auto order = iota_order(distinct.rows.size());
  std::reverse(order.begin(), order.end());
  const Slots slots = assign_slots(distinct, order);
  const Graph expanded = expand_graph(graph, distinct, slots, kWorkers);

  ASSERT_EQ(expanded.count(), 60U);
  for (std::uint32_t s = 0; s < 60; ++s) {
    const std::uint32_t vector = slots.vector_of_slot[s];
    const std::uint32_t representative = slots.slot_of_vector[vector];
    const bool more = s + 1 < 60 && slots.vector_of_slot[s + 1] == vector;
    const std::uint16_t pins =
        static_cast<std::uint16_t>((more ? 1 : 0) + (s != representative ? 1 : 0));
    EXPECT_EQ(expanded.pinned[s], pins);
    if (more) {
      EXPECT_EQ(expanded.row(s)[0], s + 1);
    }
    EXPECT_TRUE(s == representative || expanded.has_edge(s, representative));
    EXPECT_EQ(expanded.degree[s], 8U) << "filled with the representative's edges";
    EXPECT_FALSE(expanded.has_edge(s, s));
    // What follows the pins are the representative's best edges, in order.
    std::vector<std::uint32_t> best;
    for (const std::uint32_t to : graph.row(vector)) best.push_back(slots.slot_of_vector[to]);
    best.resize(best.size() - pins);
    const auto rest = expanded.row(s).subspan(pins);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), best.begin(), best.end()));
  }
}

TEST(Distinct, OfOneValueIsOneChain) {
  Rows rows = random_rows(40, 3, DType::f32, 1);
  for (std::uint64_t i = 1; i < 40; ++i) copy_row(rows, 0, i);
  const Distinct distinct = find_distinct(rows.batch(), kWorkers);
  ASSERT_EQ(distinct.rows.size(), 1U);
  const Slots slots = assign_slots(distinct, iota_order(1));
  const Graph expanded = expand_graph(Graph(1, 8), distinct, slots, kWorkers);
  for (std::uint32_t s = 0; s < 39; ++s) EXPECT_EQ(expanded.row(s)[0], s + 1);
  EXPECT_EQ(slots.node_of_slot, iota_order(40));
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
