// Four rows by two vectors of centroids at a time; each lane keeps its best score and the number of
// the vector it came from. Scores leave |x|^2 / 2 out: it does not change which is least.
#include "engine/math/nearest.h"

#include <algorithm>
#include <limits>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/nearest.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/highway.h>

#ifndef CAIRN_NEAREST_TYPES_
#define CAIRN_NEAREST_TYPES_
namespace cairn::math {

inline constexpr std::size_t kPanelWidth = 16;
inline constexpr std::size_t kBlock = 32;  // two vectors of AVX-512: centroids are padded to it

inline const float* column_of(const CentroidPanel& panel, std::size_t width, std::size_t centroid) {
  return panel.columns.data() + centroid / kPanelWidth * kPanelWidth * width +
         centroid % kPanelWidth;
}

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPanelWidth>;
using V = hn::Vec<Floats>;

/// score[r][v] = |c|^2 / 2 - x.c for R rows and the two vectors of centroids from `first` on.
/// Width is a constant where the loop is short, or 0.
template <std::size_t Width, std::size_t R>
HWY_INLINE void score(const CentroidPanel& panel, const float* rows, std::size_t stride,
                      std::size_t first, V (&sum)[R][2]) {
  const Floats d;
  const std::size_t n = hn::Lanes(d), width = Width == 0 ? panel.width : Width;
  const float *a = column_of(panel, width, first), *b = column_of(panel, width, first + n);
  const V a_norm = hn::LoadU(d, panel.half_norms.data() + first);
  const V b_norm = hn::LoadU(d, panel.half_norms.data() + first + n);
  for (std::size_t r = 0; r < R; ++r) {
    sum[r][0] = a_norm;
    sum[r][1] = b_norm;
  }
  for (std::size_t j = 0; j < width; ++j) {
    const V a_column = hn::LoadU(d, a + j * kPanelWidth);
    const V b_column = hn::LoadU(d, b + j * kPanelWidth);
    for (std::size_t r = 0; r < R; ++r) {
      const V x = hn::Set(d, rows[r * stride + j]);
      sum[r][0] = hn::NegMulAdd(x, a_column, sum[r][0]);
      sum[r][1] = hn::NegMulAdd(x, b_column, sum[r][1]);
    }
  }
}

template <std::size_t Width, std::size_t R>
HWY_INLINE void nearest_of_rows(const CentroidPanel& panel, const float* rows, std::size_t stride,
                                std::uint32_t* index) {
  const Floats d;
  const std::size_t n = hn::Lanes(d);
  V best[R], vector[R];
  for (std::size_t r = 0; r < R; ++r) {
    best[r] = hn::Set(d, std::numeric_limits<float>::infinity());
    vector[r] = hn::Zero(d);
  }
  V number = hn::Zero(d);  // of the vector of centroids; exact as a float
  const V one = hn::Set(d, 1);
  for (std::size_t first = 0; first < panel.count; first += 2 * n) {
    V sum[R][2];
    score<Width, R>(panel, rows, stride, first, sum);
    for (std::size_t v = 0; v < 2; ++v) {
      for (std::size_t r = 0; r < R; ++r) {
        vector[r] = hn::IfThenElse(hn::Lt(sum[r][v], best[r]), number, vector[r]);
        best[r] = hn::Min(sum[r][v], best[r]);
      }
      number = hn::Add(number, one);
    }
  }
  const V lanes = hn::Set(d, static_cast<float>(n)), lane = hn::Iota(d, 0);
  for (std::size_t r = 0; r < R; ++r) {
    const V id = hn::MulAdd(vector[r], lanes, lane);
    const auto least = hn::Eq(best[r], hn::MinOfLanes(d, best[r]));
    const V lowest = hn::MinOfLanes(d, hn::IfThenElse(least, id, hn::Set(d, 0x1p24F)));
    index[r] = static_cast<std::uint32_t>(hn::GetLane(lowest));
  }
}

template <std::size_t Width>
HWY_INLINE void nearest_of_all(const CentroidPanel& panel, const float* rows, std::size_t stride,
                               std::size_t count, std::uint32_t* index) {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4)
    nearest_of_rows<Width, 4>(panel, rows + i * stride, stride, index + i);
  for (; i < count; ++i) nearest_of_rows<Width, 1>(panel, rows + i * stride, stride, index + i);
}

void nearest_rows(const CentroidPanel& panel, const float* rows, std::size_t stride,
                  std::size_t count, std::uint32_t* index) {
  switch (panel.width) {
    case 2:
      return nearest_of_all<2>(panel, rows, stride, count, index);
    case 3:
      return nearest_of_all<3>(panel, rows, stride, count, index);
    case 4:
      return nearest_of_all<4>(panel, rows, stride, count, index);
    default:
      return nearest_of_all<0>(panel, rows, stride, count, index);
  }
}

/// kBlock centroids at a time, so that no sum waits for the last.
template <bool kL2, std::size_t Width>
HWY_INLINE void to_centroids(const CentroidPanel& panel, const float* x, float* out) {
  const Floats d;
  constexpr std::size_t kLanes = hn::MaxLanes(Floats()),
                        kVectors = std::min(kBlock / kLanes, std::size_t{4});
  const std::size_t width = Width == 0 ? panel.width : Width;
  for (std::size_t c = 0; c < panel.count; c += kVectors * kLanes) {
    const float* columns[kVectors];
    V sum[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      columns[v] = column_of(panel, width, c + v * kLanes);
      sum[v] = hn::Zero(d);
    }
    for (std::size_t j = 0; j < width; ++j) {
      const V value = hn::Set(d, x[j]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        const V centroid = hn::LoadU(d, columns[v] + j * kPanelWidth);
        const V difference = hn::Sub(value, centroid);
        sum[v] = kL2 ? hn::MulAdd(difference, difference, sum[v])
                     : hn::NegMulAdd(value, centroid, sum[v]);
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, out + c + v * kLanes);
  }
}

template <bool kL2>
HWY_INLINE void to_centroids_of_width(const CentroidPanel& panel, const float* x, float* out) {
  switch (panel.width) {
    case 2:
      return to_centroids<kL2, 2>(panel, x, out);
    case 3:
      return to_centroids<kL2, 3>(panel, x, out);
    case 4:
      return to_centroids<kL2, 4>(panel, x, out);
    default:
      return to_centroids<kL2, 0>(panel, x, out);
  }
}

void l2_to_centroids(const CentroidPanel& panel, const float* x, float* out) {
  to_centroids_of_width<true>(panel, x, out);
}

void minus_dot_to_centroids(const CentroidPanel& panel, const float* x, float* out) {
  to_centroids_of_width<false>(panel, x, out);
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(nearest_rows);
HWY_EXPORT(l2_to_centroids);
HWY_EXPORT(minus_dot_to_centroids);

}  // namespace

CentroidPanel pack_centroids(std::span<const float> centroids, std::size_t width) {
  CentroidPanel panel;
  panel.count = centroids.size() / width;
  panel.width = width;
  const std::size_t padded = (panel.count + kBlock - 1) / kBlock * kBlock;
  panel.columns.resize(padded * width);
  panel.half_norms.resize(padded, std::numeric_limits<float>::infinity());
  for (std::size_t c = 0; c < panel.count; ++c) {
    float* column = panel.columns.data() + c / kPanelWidth * kPanelWidth * width + c % kPanelWidth;
    double norm = 0;
    for (std::size_t j = 0; j < width; ++j) {
      const float value = centroids[c * width + j];
      column[j * kPanelWidth] = value;
      norm += double{value} * double{value};
    }
    panel.half_norms[c] = static_cast<float>(norm / 2);
  }
  return panel;
}

void nearest(const CentroidPanel& panel, const float* rows, std::size_t stride, std::size_t count,
             std::uint32_t* index) {
  HWY_DYNAMIC_DISPATCH(nearest_rows)(panel, rows, stride, count, index);
}

void centroid_l2(const CentroidPanel& panel, const float* x, float* out) {
  HWY_DYNAMIC_DISPATCH(l2_to_centroids)(panel, x, out);
}

void centroid_minus_dot(const CentroidPanel& panel, const float* x, float* out) {
  HWY_DYNAMIC_DISPATCH(minus_dot_to_centroids)(panel, x, out);
}

}  // namespace cairn::math
#endif  // HWY_ONCE
