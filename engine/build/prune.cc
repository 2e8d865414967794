#include "engine/build/prune.h"

#include <algorithm>
#include <limits>

namespace cairn::build {

Kept robust_prune(const VectorBatch& vectors, std::span<const Candidate> candidates,
                  std::uint32_t degree, double alpha, Candidate* out, PruneScratch& scratch) {
  const std::size_t count = candidates.size();
  scratch.ids.resize(count);
  for (std::size_t i = 0; i < count; ++i) scratch.ids[i] = candidates[i].id;
  scratch.set.pack(vectors, scratch.ids);
  const std::size_t ld = math::tile_ld(count);
  scratch.distances.resize(count * ld);
  math::tile_l2(scratch.set, 0, count, scratch.set, scratch.distances.data(), ld);

  // occlusion[j]: the largest d^2(p, j) / d^2(i, j) over the kept i. j is occluded at alpha when it
  // reaches alpha^2.
  scratch.occlusion.assign(count, 0);
  scratch.taken.assign(count, 0);
  std::uint32_t kept = 0;
  const auto keep = [&](std::size_t i) {
    out[kept++] = candidates[i];
    scratch.taken[i] = 1;
    const float* row = scratch.distances.data() + i * ld;
    for (std::size_t j = i + 1; j < count; ++j) {
      const float ratio =
          row[j] > 0 ? candidates[j].distance / row[j] : std::numeric_limits<float>::infinity();
      scratch.occlusion[j] = std::max(scratch.occlusion[j], ratio);
    }
  };
  const auto pass = [&](double pass_alpha) {
    const auto limit = static_cast<float>(pass_alpha * pass_alpha);
    for (std::size_t i = 0; i < count && kept < degree; ++i)
      if (!scratch.taken[i] && scratch.occlusion[i] < limit) keep(i);
    return static_cast<std::uint16_t>(kept);
  };
  Kept result;
  result.close = pass(1.0);
  result.kept = pass(alpha);
  for (std::size_t i = 0; i < count && kept < degree; ++i)
    if (!scratch.taken[i]) out[kept++] = candidates[i];
  result.all = static_cast<std::uint16_t>(kept);
  return result;
}

}  // namespace cairn::build
