#include "engine/build/leaf.h"

#include <algorithm>
#include <limits>

#include "engine/math/topk.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsAtOnce = 24;
constexpr std::size_t kPanel = math::kTileColumns;

void select_panel(std::size_t panel, std::size_t size, std::size_t k, LeafScratch& scratch) {
  const std::size_t ld = math::tile_ld(size);
  for (std::size_t i = panel; i < std::min(panel + kPanel, size); ++i) {
    float* row = scratch.distances.data() + i * ld;
    row[i] = std::numeric_limits<float>::infinity();
    math::smallest_k(row, size, k, scratch.nearest.data() + i * k,
                     scratch.nearest_distance.data() + i * k);
  }
}

/// A distance is computed once: of a panel of rows the columns from its own on, the rest is
/// mirrored from the panels before.
void find_nearest(std::size_t size, std::size_t k, LeafScratch& scratch) {
  const std::size_t ld = math::tile_ld(size);
  scratch.distances.resize(ld * ld);
  scratch.nearest.resize(size * k);
  scratch.nearest_distance.resize(size * k);
  float* const distances = scratch.distances.data();
  std::size_t panel = 0;  // the first that is not complete
  for (std::size_t begin = 0; begin < size; begin += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, size - begin);
    const std::size_t column = begin / kPanel * kPanel;
    math::tile_l2(scratch.set, begin, count, scratch.set, column, size - column,
                  distances + begin * ld + column, ld);
    for (; panel < size && begin + count >= std::min(panel + kPanel, size); panel += kPanel) {
      for (std::size_t below = panel + kPanel; below < size; below += kPanel)
        math::transpose_square(distances + panel * ld + below, distances + below * ld + panel, ld);
      select_panel(panel, size, k, scratch);
    }
  }
}

/// Counting sort of the directed edges by their target.
void group_reverse(std::span<const std::uint32_t> leaf, std::size_t k, LeafScratch& scratch) {
  scratch.begins.assign(leaf.size() + 1, 0);
  for (const std::uint32_t target : scratch.nearest) ++scratch.begins[target + 1];
  for (std::size_t i = 0; i < leaf.size(); ++i) scratch.begins[i + 1] += scratch.begins[i];
  scratch.reverse.resize(scratch.nearest.size());
  std::vector<std::uint32_t>& at = scratch.begins;
  for (std::size_t i = 0; i < leaf.size(); ++i)
    for (std::size_t j = 0; j < k; ++j)
      scratch.reverse[at[scratch.nearest[i * k + j]]++] = {scratch.nearest_distance[i * k + j],
                                                           leaf[i]};
  // The cursors ran on by one group each: begins[t] is now the end of group t.
}

}  // namespace

void link_leaf(const VectorBatch& vectors, std::span<const std::uint32_t> leaf, std::uint32_t k,
               CandidateRows& rows, LeafScratch& scratch) {
  if (leaf.size() < 2) return;
  const std::size_t edges = std::min<std::size_t>(k, leaf.size() - 1);
  scratch.set.pack(vectors, leaf);
  find_nearest(leaf.size(), edges, scratch);
  group_reverse(leaf, edges, scratch);
  for (std::size_t i = 0; i < leaf.size(); ++i) {
    scratch.offers.clear();
    for (std::size_t j = 0; j < edges; ++j)
      scratch.offers.push_back(
          {scratch.nearest_distance[i * edges + j], leaf[scratch.nearest[i * edges + j]]});
    const std::size_t begin = i == 0 ? 0 : scratch.begins[i - 1];
    scratch.offers.insert(scratch.offers.end(),
                          scratch.reverse.begin() + static_cast<std::ptrdiff_t>(begin),
                          scratch.reverse.begin() + static_cast<std::ptrdiff_t>(scratch.begins[i]));
    rows.offer(leaf[i], scratch.offers);
  }
}

}  // namespace cairn::build
