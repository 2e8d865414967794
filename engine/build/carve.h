// Randomised ball carving (PiPNN, arXiv 2602.21247, section 4): a set larger than a leaf draws
// leaders, each member joins its `fanout` nearest leaders, and each ball is carved again. Leaves
// overlap, which is what ties the graph together.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/math/tile.h"
#include "engine/workers.h"

namespace cairn::build {

struct CarveOptions {
  std::vector<std::uint32_t> fanouts;  // by level; 1 beyond the last
  std::uint32_t leaf_max = 512;        // a set this small is a leaf
  std::uint32_t leaf_target = 256;     // leaders are drawn for balls of about this size
  std::uint32_t leaders_max = 1000;    // per set
  std::uint64_t seed = 1;
};

/// Buffers of one worker, reused from set to set.
struct CarveScratch {
  math::TileSet leaders, rows;
  std::vector<float> distances;
};

using Ids = std::vector<std::uint32_t>;

/// For each id, its `fanout` nearest of `leaders` (both index rows of `vectors`): balls[l] lists,
/// in the order of ids, those that joined leader l. O(ids * leaders * dim).
std::vector<Ids> carve_once(const VectorBatch& vectors, std::span<const std::uint32_t> ids,
                            std::span<const std::uint32_t> leaders, std::uint32_t fanout,
                            CarveScratch& scratch);

/// How many leaders a set of `size` draws at a level.
std::size_t leader_count(const CarveOptions& options, std::size_t size, std::uint32_t level);

/// Leaders of a set: distinct members drawn by seed, ascending.
Ids draw_leaders(std::span<const std::uint32_t> ids, std::size_t count, std::uint64_t seed);

/// Carves `ids` down to leaves and hands each (at least 2 ids) to `visit`. `level` indexes fanouts;
/// `path` names the set and seeds its draws. A set that does not shrink (near-duplicates) is cut
/// into random chunks. Sequential and deterministic.
void carve(const VectorBatch& vectors, Ids ids, const CarveOptions& options, std::uint32_t level,
           std::uint64_t path, CarveScratch& scratch, const std::function<void(const Ids&)>& visit);

/// The first level over all rows of `vectors`, in parallel: one list of ids per leader.
std::vector<Ids> carve_top(const VectorBatch& vectors, const CarveOptions& options,
                           const Workers& workers);

/// Chains the rows of `set` so that neighbours in the tour are near each other: from the first,
/// ever the nearest that was not visited. O(count^2 * dim).
std::vector<std::uint32_t> tour(const math::TileSet& set);

/// Mixes two numbers into a seed.
std::uint64_t mix_seed(std::uint64_t a, std::uint64_t b);

}  // namespace cairn::build
