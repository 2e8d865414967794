// The levels of an HNSW above the lowest, of vectors whose graph of level 0 is there already:
// nested random samples (Malkov and Yashunin, arXiv 1603.09320, section 4), each linked as a build
// links.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/pipnn.h"
#include "engine/build/space.h"

namespace cairn::tools {

/// Level of an element: l and more with probability 1 / degree^l. By seed and element alone.
std::uint32_t draw_level(std::uint64_t element, std::uint32_t degree, std::uint64_t seed);

/// Elements of level 1 and more, and their links on each of these levels.
class UpperLevels {
 public:
  /// `elements` ascending, of levels drawn for `degree`, with their `raw` vectors. Equal vectors
  /// beside the first stay on level 0. O(elements) as a build.
  UpperLevels(build::Space space, std::span<const std::uint32_t> elements, const VectorBatch& raw,
              std::uint32_t degree, std::uint64_t seed, std::uint32_t threads);

  std::uint32_t level_max() const { return static_cast<std::uint32_t>(levels_.size()); }
  /// An element of the highest level; 0 when there is none above level 0.
  std::uint32_t entry() const { return entry_; }
  /// 0 for all that were not given.
  std::uint32_t level_of(std::uint32_t element) const;
  /// At most `degree` elements; 1 <= level <= level_of(element).
  std::span<const std::uint32_t> links(std::uint32_t element, std::uint32_t level) const;

 private:
  struct Level {
    std::vector<std::uint32_t> elements;  // ascending
    std::vector<std::uint32_t> begins, links;
  };
  static Level link(const VectorBatch& vectors, std::vector<std::uint32_t> elements,
                    std::uint32_t degree, std::uint64_t seed, const build::Workers& workers);

  std::vector<Level> levels_;  // from 1 on
  std::uint32_t entry_ = 0;
};

}  // namespace cairn::tools
