// One leaf of the carving: all pairs by tiles, the nearest few of each member become candidate
// edges in both directions.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/candidate_rows.h"
#include "engine/math/tile.h"

namespace cairn::build {

struct LeafScratch {
  math::TileSet set;
  std::vector<float> distances;         // all pairs, rows of tile_ld(leaf size)
  std::vector<std::uint32_t> nearest;   // leaf size x k, local
  std::vector<float> nearest_distance;  // leaf size x k
  std::vector<std::uint32_t> begins;    // reverse edges by target
  std::vector<Candidate> reverse, offers;
};

/// Offers each member's `k` (<= 8) nearest of the leaf to its row, and the member to theirs.
/// O(leaf^2 * dim) time, 4 bytes a pair.
void link_leaf(const VectorBatch& vectors, std::span<const std::uint32_t> leaf, std::uint32_t k,
               CandidateRows& rows, LeafScratch& scratch);

}  // namespace cairn::build
