// Exact duplicates. The graph is built over distinct vectors only; each duplicate hangs on a chain
// from its representative: representative -> first duplicate -> second -> ...
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/graph.h"
#include "engine/build/workers.h"

namespace cairn::build {

struct Duplicate {
  std::uint32_t of;   // index into Distinct::rows
  std::uint32_t row;  // of the data set
  friend auto operator<=>(const Duplicate&, const Duplicate&) = default;
};

struct Distinct {
  std::vector<std::uint32_t> rows;    // the first row of each value, ascending
  std::vector<Duplicate> duplicates;  // all other rows, ascending by (of, row)

  /// The duplicates of rows[vector]. O(log duplicates + result).
  std::span<const Duplicate> duplicates_of(std::uint32_t vector) const;
};

/// Equal means equal bytes. O(n log n), 16 bytes a row of RAM.
Distinct find_distinct(const VectorBatch& vectors, const Workers& workers);

/// Slots of an order: each vector is followed by its duplicates.
struct Slots {
  std::vector<std::uint32_t> node_of_slot;    // row of the data set
  std::vector<std::uint32_t> vector_of_slot;  // index into Distinct::rows
  std::vector<std::uint32_t> slot_of_vector;  // of the representative
};
Slots assign_slots(const Distinct& distinct, std::span<const std::uint32_t> order);

/// The graph of all slots from that of the distinct vectors. A duplicate has pinned edges to the
/// next of its chain and to its representative, then the representative's best edges, so that a
/// search may enter at it.
Graph expand_graph(const Graph& graph, const Distinct& distinct, const Slots& slots,
                   const Workers& workers);

}  // namespace cairn::build
