// The nearest of a set of centroids to each of many float rows: what k-means and the encoder of
// product quantisation spend their time in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/math/aligned.h"

namespace cairn::math {

/// Centroids of one width in column panels. Read by any number of threads.
struct CentroidPanel {
  std::size_t count = 0, width = 0;
  AlignedVector<float> columns;     // (padded / 16, width, 16)
  AlignedVector<float> half_norms;  // (padded): |c|^2 / 2, +infinity in the padding
};

/// centroids: count x width, row-major. count < 2^24.
CentroidPanel pack_centroids(std::span<const float> centroids, std::size_t width);

/// index[i] = the centroid that minimises |c|^2 / 2 - x.c, lowest on ties, for the `count` rows of
/// `width` floats at rows + i * stride. Every sum runs in the order of its elements, so the result
/// depends on nothing but row and centroids, and AVX2 and AVX-512 agree.
/// O(count * centroids * width).
void nearest(const CentroidPanel& panel, const float* rows, std::size_t stride, std::size_t count,
             std::uint32_t* index);

/// out[c] = |x - c|^2, or - x.c, for every centroid; x: width floats. `out` has the count rounded
/// up to a multiple of 32 (the rest is not meaningful). O(centroids * width).
void centroid_l2(const CentroidPanel& panel, const float* x, float* out);
void centroid_minus_dot(const CentroidPanel& panel, const float* x, float* out);

}  // namespace cairn::math
