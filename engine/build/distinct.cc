#include "engine/build/distinct.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 4096;

struct HashedRow {
  std::uint64_t hash;
  std::uint32_t row;
  friend auto operator<=>(const HashedRow&, const HashedRow&) = default;
};

std::vector<HashedRow> hash_rows(const VectorBatch& vectors, const Workers& workers) {
  std::vector<HashedRow> hashed(vectors.count);
  workers.each(vectors.count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t i = begin; i < end; ++i)
      hashed[i] = {XXH3_64bits(vectors.row(i).data, vectors.row_bytes()),
                   static_cast<std::uint32_t>(i)};
  });
  std::sort(hashed.begin(), hashed.end());
  return hashed;
}

/// Adds to `first_of` (row -> first equal row) those of a run of equal hashes.
void match_run(const VectorBatch& vectors, std::span<const HashedRow> run,
               std::vector<std::uint32_t>& first_of) {
  std::vector<std::uint32_t> firsts;  // more than one when hashes collide
  for (const HashedRow& hashed : run) {
    const auto same = std::find_if(firsts.begin(), firsts.end(), [&](std::uint32_t first) {
      return std::memcmp(vectors.row(first).data, vectors.row(hashed.row).data,
                         vectors.row_bytes()) == 0;
    });
    if (same == firsts.end())
      firsts.push_back(hashed.row);
    else
      first_of[hashed.row] = *same;
  }
}

}  // namespace

std::span<const Duplicate> Distinct::duplicates_of(std::uint32_t vector) const {
  const auto begin = std::lower_bound(duplicates.begin(), duplicates.end(), Duplicate{vector, 0});
  auto end = begin;
  while (end != duplicates.end() && end->of == vector) ++end;
  return {begin, end};
}

Distinct find_distinct(const VectorBatch& vectors, const Workers& workers) {
  const std::vector<HashedRow> hashed = hash_rows(vectors, workers);
  std::vector<std::uint32_t> first_of(vectors.count);
  for (std::size_t i = 0; i < first_of.size(); ++i) first_of[i] = static_cast<std::uint32_t>(i);
  for (std::size_t begin = 0, end; begin < hashed.size(); begin = end) {
    for (end = begin + 1; end < hashed.size() && hashed[end].hash == hashed[begin].hash;) ++end;
    if (end - begin > 1)
      match_run(vectors, std::span(hashed).subspan(begin, end - begin), first_of);
  }
  Distinct distinct;
  std::vector<std::uint32_t> vector_of(vectors.count);  // of first rows; those come before theirs
  for (std::uint32_t row = 0; row < first_of.size(); ++row) {
    if (first_of[row] == row) {
      vector_of[row] = static_cast<std::uint32_t>(distinct.rows.size());
      distinct.rows.push_back(row);
    } else {
      distinct.duplicates.push_back({vector_of[first_of[row]], row});
    }
  }
  std::sort(distinct.duplicates.begin(), distinct.duplicates.end());
  return distinct;
}

Slots assign_slots(const Distinct& distinct, std::span<const std::uint32_t> order) {
  Slots slots;
  const std::size_t count = distinct.rows.size() + distinct.duplicates.size();
  slots.node_of_slot.reserve(count);
  slots.vector_of_slot.reserve(count);
  slots.slot_of_vector.resize(distinct.rows.size());
  for (const std::uint32_t vector : order) {
    slots.slot_of_vector[vector] = static_cast<std::uint32_t>(slots.node_of_slot.size());
    slots.node_of_slot.push_back(distinct.rows[vector]);
    slots.vector_of_slot.push_back(vector);
    if (distinct.duplicates.empty()) continue;
    for (const Duplicate& duplicate : distinct.duplicates_of(vector)) {
      slots.node_of_slot.push_back(duplicate.row);
      slots.vector_of_slot.push_back(vector);
    }
  }
  return slots;
}

Graph expand_graph(const Graph& graph, const Distinct& distinct, const Slots& slots,
                   const Workers& workers) {
  const std::size_t count = slots.node_of_slot.size();
  Graph expanded(count, graph.degree_max);
  workers.each(count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t s = begin; s < end; ++s) {
      const std::uint32_t vector = slots.vector_of_slot[s];
      const auto from = graph.row(vector);
      std::uint32_t* to = expanded.edges.data() + s * expanded.degree_max;
      for (std::size_t e = 0; e < from.size(); ++e) to[e] = slots.slot_of_vector[from[e]];
      expanded.degree[s] = static_cast<std::uint16_t>(from.size());
      if (distinct.duplicates.empty()) continue;
      // A chain stands in consecutive slots, the representative first.
      const auto slot = static_cast<std::uint32_t>(s);
      if (s + 1 < count && slots.vector_of_slot[s + 1] == vector) expanded.pin_edge(s, slot + 1);
      const std::uint32_t representative = slots.slot_of_vector[vector];
      if (slot != representative) expanded.pin_edge(s, representative);
    }
  });
  return expanded;
}

}  // namespace cairn::build
