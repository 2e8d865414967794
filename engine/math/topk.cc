// The first pass keeps the least of each lane. The k-th least of these lanes bounds the k-th least
// of all, and is near it, so the second pass meets few values: k ln(lanes / (lanes - k)) more or
// less, whatever the order of the row. A running bound would be broken k ln(count) times, each a
// mispredicted branch.
#include "engine/math/topk.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/topk.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/highway.h>

#ifndef CAIRN_TOPK_SMALLEST_
#define CAIRN_TOPK_SMALLEST_
namespace cairn::math {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Sorted by (value, index); values must arrive in order of index.
struct Smallest {
  float value[kSmallestMax];
  std::uint32_t index[kSmallestMax];
  std::size_t size = 0;

  void offer(float v, std::uint32_t i, std::size_t k) {
    if (size == k && !(v < value[k - 1])) return;
    std::size_t at = size < k ? size++ : k - 1;
    for (; at > 0 && v < value[at - 1]; --at) {
      value[at] = value[at - 1];
      index[at] = index[at - 1];
    }
    value[at] = v;
    index[at] = i;
  }
};

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Any row, one value after the other.
HWY_INLINE void scan(const float* values, std::size_t begin, std::size_t end, std::size_t k,
                     Smallest& best) {
  for (std::size_t i = begin; i < end; ++i) {
    const float value = std::isnan(values[i]) ? kInfinity : values[i];
    best.offer(value, static_cast<std::uint32_t>(i), k);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Eight lanes at most: short rows matter as much as long ones here.
using Floats = hn::CappedTag<float, 8>;
using V = hn::Vec<Floats>;

/// The least of every lane of two interleaved streams of vectors; count >= 2 * lanes. The last
/// elements, less than two vectors, may be left out.
HWY_INLINE void lane_minima(const float* values, std::size_t count, V& a, V& b) {
  const Floats d;
  const std::size_t n = hn::Lanes(d);
  a = hn::LoadU(d, values);
  b = hn::LoadU(d, values + n);
  V c = a, e = b;
  std::size_t i = 2 * n;
  for (; i + 4 * n <= count; i += 4 * n) {
    a = hn::Min(a, hn::LoadU(d, values + i));
    b = hn::Min(b, hn::LoadU(d, values + i + n));
    c = hn::Min(c, hn::LoadU(d, values + i + 2 * n));
    e = hn::Min(e, hn::LoadU(d, values + i + 3 * n));
  }
  if (i + 2 * n <= count) {
    a = hn::Min(a, hn::LoadU(d, values + i));
    b = hn::Min(b, hn::LoadU(d, values + i + n));
  }
  a = hn::Min(a, c);
  b = hn::Min(b, e);
}

/// The k-th least of two vectors (or a greater one when lanes are equal), k <= 2 * lanes.
HWY_INLINE float kth_of_lanes(V a, V b, std::size_t k) {
  const Floats d;
  const V infinity = hn::Set(d, kInfinity);
  for (; k > 1; --k) {
    const V least = hn::MinOfLanes(d, hn::Min(a, b));
    a = hn::IfThenElse(hn::Eq(a, least), infinity, a);
    b = hn::IfThenElse(hn::Eq(b, least), infinity, b);
  }
  return hn::GetLane(hn::MinOfLanes(d, hn::Min(a, b)));
}

template <class M>
HWY_INLINE std::uint64_t mask_bits(M mask) {
  std::uint64_t bits = 0;
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(Floats(), mask, bytes);
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

HWY_INLINE void collect(const float* values, std::size_t count, float bound, std::size_t k,
                        Smallest& best) {
  const Floats d;
  const std::size_t n = hn::Lanes(d);
  const auto limit = hn::Set(d, bound);
  std::size_t i = 0;
  for (; i + 4 * n <= count; i += 4 * n) {
    const auto m0 = hn::Le(hn::LoadU(d, values + i), limit);
    const auto m1 = hn::Le(hn::LoadU(d, values + i + n), limit);
    const auto m2 = hn::Le(hn::LoadU(d, values + i + 2 * n), limit);
    const auto m3 = hn::Le(hn::LoadU(d, values + i + 3 * n), limit);
    if (HWY_LIKELY(hn::AllFalse(d, hn::Or(hn::Or(m0, m1), hn::Or(m2, m3))))) continue;
    std::uint64_t bits =
        mask_bits(m0) | mask_bits(m1) << n | mask_bits(m2) << (2 * n) | mask_bits(m3) << (3 * n);
    for (; bits != 0; bits &= bits - 1) {
      const std::size_t at = i + hwy::Num0BitsBelowLS1Bit_Nonzero64(bits);
      best.offer(values[at], static_cast<std::uint32_t>(at), k);
    }
  }
  for (; i < count; ++i)
    if (values[i] <= bound) best.offer(values[i], static_cast<std::uint32_t>(i), k);
}
#endif

void select(const float* values, std::size_t count, std::size_t k, Smallest& best) {
#if HWY_TARGET != HWY_SCALAR
  const std::size_t n = hn::Lanes(Floats());
  if (count >= 2 * n && k <= 2 * n) {
    V a, b;
    lane_minima(values, count, a, b);
    collect(values, count, kth_of_lanes(a, b, k), k, best);
    if (best.size == k) return;
    best.size = 0;  // NaN in the row
  }
#endif
  scan(values, 0, count, k, best);
}

std::size_t argmin_of(const float* values, std::size_t count) {
#if HWY_TARGET != HWY_SCALAR
  const Floats d;
  const std::size_t n = hn::Lanes(d);
  if (count >= 2 * n) {
    V a, b;
    lane_minima(values, count, a, b);
    float bound = kth_of_lanes(a, b, 1);
    for (std::size_t i = count / (2 * n) * (2 * n); i < count; ++i)
      bound = std::min(bound, values[i]);
    const auto limit = hn::Set(d, bound);
    for (std::size_t i = 0; i + n <= count; i += n) {
      const std::intptr_t at = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, values + i), limit));
      if (at >= 0) return i + static_cast<std::size_t>(at);
    }
  }
#endif
  Smallest best;
  scan(values, 0, count, 1, best);
  return best.size == 0 ? 0 : best.index[0];
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(select);
HWY_EXPORT(argmin_of);

}  // namespace

void smallest_k(const float* values, std::size_t count, std::size_t k, std::uint32_t* index,
                float* value) {
  k = std::min(k, kSmallestMax);
  if (k == 0) return;
  Smallest best;
  HWY_DYNAMIC_DISPATCH(select)(values, count, k, best);
  std::copy_n(best.index, best.size, index);
  std::copy_n(best.value, best.size, value);
  std::fill(index + best.size, index + k, std::numeric_limits<std::uint32_t>::max());
  std::fill(value + best.size, value + k, kInfinity);
}

std::size_t argmin(const float* values, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(argmin_of)(values, count);
}

}  // namespace cairn::math
#endif  // HWY_ONCE
