// The graph builder: partition and multiply (PiPNN, Subramanya et al., arXiv 2602.21247).
// Randomised ball carving gives overlapping leaves; all pairs of a leaf come from one blocked
// matrix product; the nearest few of each leaf become candidates in both directions; RobustPrune
// (DiskANN, NeurIPS 2019, Algorithm 2) with saturation gives the final lists. No search, no
// insertion.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <functional>

#include "engine/build/graph.h"
#include "engine/build/workers.h"

namespace cairn::build {

struct GraphOptions {
  std::uint32_t degree = 64;  // R
  double alpha = 1.2;         // on distances, not squared
  std::uint64_t seed = 1;
};

/// Reports progress of a phase; false cancels.
using Tick = std::function<bool(const char* phase, std::uint64_t done, std::uint64_t total)>;

/// Squared-l2 graph over distinct vectors (u8, i8 or f32; already normalised or augmented where the
/// metric asks for it). Edges of a row are in order of usefulness: kept by the prune, nearest
/// first, then the saturation. Empty graph when cancelled. Equal for any number of threads.
/// O(count * (leaders + leaf memberships * leaf size) * dim) time, about 900 bytes a vector of RAM.
Graph build_graph(const VectorBatch& vectors, const GraphOptions& options, const Workers& workers,
                  const Tick& tick);

/// Order of the nodes on disk, order[rank] = node: locality by recursive carving, then greedy
/// packing by shared edges into groups of `group` (the slots of a block) within a window.
std::vector<std::uint32_t> locality_order(const VectorBatch& vectors, const Graph& graph,
                                          std::uint32_t group, const GraphOptions& options,
                                          const Workers& workers);

}  // namespace cairn::build
