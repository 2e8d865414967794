// The graph builder: partition and multiply (PiPNN, Subramanya et al., arXiv 2602.21247).
// Randomised ball carving gives overlapping leaves; all pairs of a leaf come from one blocked
// matrix product; the nearest few of each leaf become candidates in both directions; RobustPrune
// (DiskANN, NeurIPS 2019, Algorithm 2) with saturation gives the final lists. No search, no
// insertion.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/build/candidate_rows.h"
#include "engine/build/prune.h"
#include "engine/workers.h"

namespace cairn::build {

struct GraphOptions {
  std::uint32_t degree = 64;  // R
  double alpha = 1.2;         // on distances, not squared
  std::uint64_t seed = 1;
};

/// Reports progress of a phase; false cancels.
using Tick = std::function<bool(const char* phase, std::uint64_t done, std::uint64_t total)>;

/// Rows of members while a graph is built, then what the prune left of them.
struct LinkedRows {
  CandidateRows rows;
  std::vector<Kept> kept;  // by member, once pruned

  LinkedRows(std::size_t count, const GraphOptions& options);
  /// For rows that come with their edges.
  LinkedRows(std::size_t count, std::uint32_t degree) : rows(count, degree), kept(count) {}
  /// RAM of one row.
  static std::uint64_t row_bytes(std::uint32_t degree);
};

/// RAM of one worker while it links: tiles of leaders and of a leaf.
std::uint64_t link_scratch_bytes(std::uint32_t dim, DType dtype);

/// Candidates of every vector: u8, i8 or f32, distinct, compared by squared l2. False when
/// cancelled. Equal for any number of threads. O(count * (leaders + leaf memberships * leaf size) *
/// dim) time.
bool link_leaves(const VectorBatch& vectors, const GraphOptions& options, const Workers& workers,
                 const Tick& tick, LinkedRows& linked);

/// Distances that a vector takes in a set of `count`, to leaders and in leaves, in those of leaves:
/// for estimates.
double link_distances(double count);

/// Members [0, cores) are pruned to their final edges. Each other member is a second copy: what it
/// keeps are the best `offers` of its edges to cores whose `other` is not its own, those that its
/// owner cannot know. `other[i]`: the partition of the second copy of a core, or the owner of a
/// second copy. False when cancelled.
struct PruneTask {
  std::uint32_t cores = 0;
  std::span<const std::uint32_t> other;  // by member; may be empty when all are cores
  std::uint32_t offers = 12;
};
bool prune_rows(const VectorBatch& vectors, const PruneTask& task, const GraphOptions& options,
                const Workers& workers, const Tick& tick, LinkedRows& linked);

/// Order of `vectors` on disk, order[rank] = node: locality by recursive carving, then greedy
/// packing by shared edges into groups of `group` (the slots of a block) within a window. Rows of
/// nodes 0..count; edges to what is not of `vectors` are ignored.
std::vector<std::uint32_t> locality_order(const VectorBatch& vectors, const CandidateRows& rows,
                                          std::uint32_t group, const GraphOptions& options,
                                          const Workers& workers);

}  // namespace cairn::build
