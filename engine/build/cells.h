// The partitions of a build: cells of a k-means on a sample (IVF), sized so that one cell and its
// second copies can be linked within the memory budget, and in an order in which neighbours stand
// next to each other.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/space.h"
#include "engine/math/tile.h"
#include "engine/workers.h"

namespace cairn::build {

inline constexpr std::uint32_t kNoCell = 0xffff'ffffu;

/// Where a vector goes: linked and kept in `first`, linked once more in `second` when it lies near
/// the border.
struct Home {
  std::uint32_t first = 0, second = kNoCell;
};

/// A vector has a second copy where d2^2 <= border * d1^2, distances to its two nearest centroids:
/// kBorderMax, or less where more than kSecondShare of the vectors would have one.
inline constexpr double kBorderMax = 1.3;
inline constexpr double kSecondShare = 0.5;

struct CellOptions {
  std::uint32_t cells = 1;  // at least
  double members_max = 0;   // of a cell, second copies included
  double vectors = 0;       // that the sample stands for
  std::uint64_t seed = 1;
};

class Cells {
 public:
  /// One cell, or k-means on `sample` (raw rows, at least one), then cells that hold more than
  /// members_max are split, as long as their samples differ, and those of next to nothing given up.
  static Cells train(const Space& space, const VectorBatch& sample, const CellOptions& options,
                     const Workers& workers);
  /// `floats`: centroids in the build space; `border` as above.
  Cells(const Space& space, std::vector<float> floats, double border);

  std::uint32_t count() const { return count_; }
  std::span<const float> centroids() const { return floats_; }
  double border() const { return border_; }

  /// homes[i] of raw row i. O(rows * cells * dim). Thread-safe with one scratch a thread.
  struct Scratch {
    std::vector<std::byte> mapped;
    std::vector<float> floats, distances;
    math::TileSet rows;
  };
  void assign(const VectorBatch& raw, std::span<Home> homes, Scratch& scratch) const;
  /// Of the two nearest cells of each row: d2^2 / d1^2. At least two cells.
  void ratios(const VectorBatch& raw, std::span<float> ratios, Scratch& scratch) const;

 private:
  struct Nearest {
    std::uint32_t cell[2];
    float distance[2];
  };
  template <class Visit>
  void nearest(const VectorBatch& raw, Scratch& scratch, const Visit& visit) const;

  Space space_;
  std::vector<float> floats_;
  double border_;
  std::uint32_t count_;
  math::TileSet packed_;
};

}  // namespace cairn::build
