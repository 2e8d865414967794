// The two spaces of a build. Graphs are built in squared l2: cosine on unit rows, inner product on
// rows with one more element sqrt(M^2 - |x|^2), M the largest norm, where the nearest in l2 is the
// largest inner product (Bachrach et al., Speeding up the Xbox recommender system using a Euclidean
// transformation for inner-product spaces, RecSys 2014). Codes live without that element.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/workers.h"

namespace cairn::build {

/// Chosen vectors in the space in which graphs are built.
class BuildSpace {
 public:
  /// `rows` of `raw`, ascending and distinct. Copies nothing when the metric is l2 and all rows are
  /// chosen: then `raw` must outlive this.
  BuildSpace(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> rows,
             const Workers& workers);
  const VectorBatch& vectors() const { return vectors_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<float> floats_;
  VectorBatch vectors_;
};

/// `rows` of `batch` as floats, row-major.
void to_floats(const VectorBatch& batch, std::span<const std::uint32_t> rows, std::span<float> out);

/// `rows` of the raw vectors as codes see them: unit length for cosine, else as they are.
void to_code_space(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> rows,
                   std::span<float> out);

/// `count` distinct numbers below `bound`, ascending, drawn by seed (Knuth, The Art of Computer
/// Programming, volume 2, algorithm 3.4.2 S); all of them when count >= bound. O(bound).
std::vector<std::uint32_t> draw_sample(std::uint64_t bound, std::uint64_t count,
                                       std::uint64_t seed);

}  // namespace cairn::build
