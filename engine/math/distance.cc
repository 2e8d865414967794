// Pair kernels. A row is read in whole vectors; the tail is one more vector that ends at the row's
// end, with the lanes already counted set to zero, so nothing outside the row is touched. Rows
// shorter than a vector use the next narrower one.
#include "engine/math/distance.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/distance.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/highway.h>

#ifndef CAIRN_DISTANCE_TABLE_
#define CAIRN_DISTANCE_TABLE_
namespace cairn::math {

/// One target's kernels, indexed by DType.
struct PairKernels {
  PairKernel l2[4];
  PairKernel dot[4];
  double (*squared_norm)(const float* row, std::size_t dim);
  const char* name;
};

inline constexpr std::size_t kMaskLanes = 64;
/// Zeros, then ones: a load at kMaskLanes - lanes + n keeps the last n lanes of a vector.
template <class T>
struct TailMask {
  alignas(64) T lanes[2 * kMaskLanes];
  constexpr TailMask() : lanes{} {
    for (std::size_t i = kMaskLanes; i < 2 * kMaskLanes; ++i) lanes[i] = static_cast<T>(-1);
  }
};
inline constexpr TailMask<std::uint8_t> kByteMask;
inline constexpr TailMask<std::int32_t> kWordMask;

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V keep_last(D d, V v, std::size_t n) {
  const hn::RebindToSigned<D> ds;
  const auto mask = hn::LoadU(ds, kWordMask.lanes + kMaskLanes - hn::Lanes(d) + n);
  return hn::And(v, hn::BitCast(d, mask));
}

struct FloatL2 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b, V sum, std::size_t keep) const {
    V difference = hn::Sub(a, b);
    if (keep != 0) difference = keep_last(d, difference, keep);
    return hn::MulAdd(difference, difference, sum);
  }
  HWY_INLINE float operator()(float a, float b) const { return (a - b) * (a - b); }
};

struct FloatDot {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b, V sum, std::size_t keep) const {
    return hn::MulAdd(keep != 0 ? keep_last(d, a, keep) : a, b, sum);
  }
  HWY_INLINE float operator()(float a, float b) const { return a * b; }
};

/// An element of a row that may start at any byte.
HWY_INLINE float element(const float* row, std::size_t i) {
  float value;
  std::memcpy(&value, reinterpret_cast<const std::byte*>(row) + i * sizeof value, sizeof value);
  return value;
}

template <class Op, class D>
HWY_INLINE float fold_floats(D d, const float* a, const float* b, std::size_t dim) {
  const std::size_t n = hn::Lanes(d);
  const Op op;
  if (dim < n) {
    if constexpr (hn::MaxLanes(D()) > 4) {
      return fold_floats<Op>(hn::Half<D>(), a, b, dim);
    } else {
      float sum = 0;
      for (std::size_t i = 0; i < dim; ++i) sum += op(element(a, i), element(b, i));
      return sum;
    }
  }
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 4 * n <= dim; i += 4 * n) {
    s0 = op(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0, 0);
    s1 = op(d, hn::LoadU(d, a + i + n), hn::LoadU(d, b + i + n), s1, 0);
    s2 = op(d, hn::LoadU(d, a + i + 2 * n), hn::LoadU(d, b + i + 2 * n), s2, 0);
    s3 = op(d, hn::LoadU(d, a + i + 3 * n), hn::LoadU(d, b + i + 3 * n), s3, 0);
  }
  for (; i + n <= dim; i += n) s0 = op(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0, 0);
  if (i < dim) {
    const std::size_t last = dim - n;
    s1 = op(d, hn::LoadU(d, a + last), hn::LoadU(d, b + last), s1, dim - i);
  }
  const auto sum = hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
  return hn::GetLane(sum);
}

template <class Op>
float float_kernel(const void* a, const void* b, std::size_t dim) {
  const hn::ScalableTag<float> d;
  return fold_floats<Op>(d, static_cast<const float*>(a), static_cast<const float*>(b), dim);
}

template <class T>
std::int32_t scalar_l2(const T* a, const T* b, std::size_t dim) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const std::int32_t difference = std::int32_t{a[i]} - std::int32_t{b[i]};
    sum += difference * difference;
  }
  return sum;
}

template <class T>
std::int32_t scalar_dot(const T* a, const T* b, std::size_t dim) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += std::int32_t{a[i]} * std::int32_t{b[i]};
  return sum;
}

#if HWY_TARGET != HWY_SCALAR

/// Even and odd bytes as int16 lanes; cheaper than widening, which waits for the shuffle port.
template <class T, class D8, class V8>
HWY_INLINE auto even_bytes(D8, V8 v) {
  const hn::RepartitionToWide<D8> du16;
  const hn::RebindToSigned<decltype(du16)> d16;
  const auto words = hn::BitCast(du16, v);
  if constexpr (std::is_signed_v<T>)
    return hn::ShiftRight<8>(hn::BitCast(d16, hn::ShiftLeft<8>(words)));
  else
    return hn::BitCast(d16, hn::And(words, hn::Set(du16, 0x00ff)));
}

template <class T, class D8, class V8>
HWY_INLINE auto odd_bytes(D8, V8 v) {
  const hn::RepartitionToWide<D8> du16;
  const hn::RebindToSigned<decltype(du16)> d16;
  if constexpr (std::is_signed_v<T>)
    return hn::ShiftRight<8>(hn::BitCast(d16, v));
  else
    return hn::BitCast(d16, hn::ShiftRight<8>(hn::BitCast(du16, v)));
}

template <class D8, class V8>
HWY_INLINE V8 keep_last_bytes(D8 d8, V8 v, std::size_t n) {
  return hn::And(v, hn::LoadU(d8, kByteMask.lanes + kMaskLanes - hn::Lanes(d8) + n));
}

/// |a - b| fits a byte: two saturating subtractions. Flipping the top bit of both maps int8 to
/// uint8 and leaves the difference as it was.
template <class T>
struct ByteL2 {
  template <class D8, class V8, class V32>
  HWY_INLINE void operator()(D8 d8, V8 a, V8 b, std::size_t keep, V32& s0, V32& s1, V32& s2,
                             V32& s3) const {
    const hn::Repartition<std::int32_t, D8> d32;
    if constexpr (std::is_signed_v<T>) {
      const V8 top = hn::Set(d8, 0x80);
      a = hn::Xor(a, top);
      b = hn::Xor(b, top);
    }
    V8 difference = hn::Or(hn::SaturatedSub(a, b), hn::SaturatedSub(b, a));
    if (keep != 0) difference = keep_last_bytes(d8, difference, keep);
    const auto even = even_bytes<std::uint8_t>(d8, difference);
    const auto odd = odd_bytes<std::uint8_t>(d8, difference);
    s0 = hn::ReorderWidenMulAccumulate(d32, even, even, s0, s1);
    s2 = hn::ReorderWidenMulAccumulate(d32, odd, odd, s2, s3);
  }
  std::int32_t operator()(const T* a, const T* b, std::size_t dim) const {
    return scalar_l2(a, b, dim);
  }
};

template <class T>
struct ByteDot {
  template <class D8, class V8, class V32>
  HWY_INLINE void operator()(D8 d8, V8 a, V8 b, std::size_t keep, V32& s0, V32& s1, V32& s2,
                             V32& s3) const {
    const hn::Repartition<std::int32_t, D8> d32;
    if (keep != 0) a = keep_last_bytes(d8, a, keep);
    s0 = hn::ReorderWidenMulAccumulate(d32, even_bytes<T>(d8, a), even_bytes<T>(d8, b), s0, s1);
    s2 = hn::ReorderWidenMulAccumulate(d32, odd_bytes<T>(d8, a), odd_bytes<T>(d8, b), s2, s3);
  }
  std::int32_t operator()(const T* a, const T* b, std::size_t dim) const {
    return scalar_dot(a, b, dim);
  }
};

template <class Op, class T, class D8>
HWY_INLINE std::int32_t fold_bytes(D8 d8, const T* a, const T* b, std::size_t dim) {
  const hn::Repartition<std::int32_t, D8> d32;
  const std::size_t n = hn::Lanes(d8);
  const Op op;
  if (dim < n) {
    if constexpr (hn::MaxLanes(D8()) > 16)
      return fold_bytes<Op, T>(hn::Half<D8>(), a, b, dim);
    else
      return op(a, b, dim);
  }
  const auto load = [&](const T* row, std::size_t at) HWY_ATTR {
    return hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(row) + at);
  };
  auto s0 = hn::Zero(d32), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  std::size_t i = 0;
  for (; i + 2 * n <= dim; i += 2 * n) {
    op(d8, load(a, i), load(b, i), 0, s0, s1, s2, s3);
    op(d8, load(a, i + n), load(b, i + n), 0, t0, t1, t2, t3);
  }
  if (i + n <= dim) {
    op(d8, load(a, i), load(b, i), 0, s0, s1, s2, s3);
    i += n;
  }
  if (i < dim) op(d8, load(a, dim - n), load(b, dim - n), dim - i, t0, t1, t2, t3);
  const auto even = hn::Add(hn::Add(s0, s1), hn::Add(t0, t1));
  const auto odd = hn::Add(hn::Add(s2, s3), hn::Add(t2, t3));
  return hn::GetLane(hn::SumOfLanes(d32, hn::Add(even, odd)));
}

template <class T>
float byte_l2(const void* a, const void* b, std::size_t dim) {
  const hn::ScalableTag<std::uint8_t> d8;
  return static_cast<float>(
      fold_bytes<ByteL2<T>>(d8, static_cast<const T*>(a), static_cast<const T*>(b), dim));
}

template <class T>
float byte_dot(const void* a, const void* b, std::size_t dim) {
  const hn::ScalableTag<std::uint8_t> d8;
  return static_cast<float>(
      fold_bytes<ByteDot<T>>(d8, static_cast<const T*>(a), static_cast<const T*>(b), dim));
}

#else

template <class T>
float byte_l2(const void* a, const void* b, std::size_t dim) {
  return static_cast<float>(scalar_l2(static_cast<const T*>(a), static_cast<const T*>(b), dim));
}

template <class T>
float byte_dot(const void* a, const void* b, std::size_t dim) {
  return static_cast<float>(scalar_dot(static_cast<const T*>(a), static_cast<const T*>(b), dim));
}

#endif

/// In double, so that no finite row overflows and every path rounds to the same float.
double squared_norm(const float* row, std::size_t dim) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const std::size_t n = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0;
  std::size_t i = 0;
  for (; i + 2 * n <= dim; i += 2 * n) {
    const auto v0 = hn::PromoteTo(d, hn::LoadU(df, row + i));
    const auto v1 = hn::PromoteTo(d, hn::LoadU(df, row + i + n));
    s0 = hn::MulAdd(v0, v0, s0);
    s1 = hn::MulAdd(v1, v1, s1);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < dim; ++i) sum += double{element(row, i)} * double{element(row, i)};
  return sum;
}

PairKernels pair_kernels() {
  return {{nullptr, byte_l2<std::uint8_t>, byte_l2<std::int8_t>, float_kernel<FloatL2>},
          {nullptr, byte_dot<std::uint8_t>, byte_dot<std::int8_t>, float_kernel<FloatDot>},
          squared_norm,
          hwy::TargetName(HWY_TARGET)};
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(pair_kernels);

PairKernels kernels() { return HWY_DYNAMIC_DISPATCH(pair_kernels)(); }

}  // namespace

PairKernel l2_kernel(DType dtype) { return kernels().l2[static_cast<std::size_t>(dtype)]; }

PairKernel dot_kernel(DType dtype) { return kernels().dot[static_cast<std::size_t>(dtype)]; }

std::string_view kernel_path() { return kernels().name; }

float inverse_norm(VectorView row) {
  const double squared =
      row.dtype == DType::f32
          ? kernels().squared_norm(static_cast<const float*>(row.data), row.dim)
          : static_cast<double>(dot_kernel(row.dtype)(row.data, row.data, row.dim));
  if (squared == 0) return 0;
  const double largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::fmin(1 / std::sqrt(squared), largest));
}

bool all_finite(VectorView row) {
  if (row.dtype != DType::f32) return true;
  constexpr std::uint32_t kExponent = 0x7f800000;
  const auto* bytes = static_cast<const std::byte*>(row.data);
  std::uint32_t bad = 0;
  for (std::size_t i = 0; i < row.dim; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, bytes + i * sizeof bits, sizeof bits);
    bad |= (bits & kExponent) == kExponent ? 1U : 0U;
  }
  return bad == 0;
}

Scorer::Scorer(Metric metric, VectorView query)
    : kernel_(metric == Metric::l2 ? l2_kernel(query.dtype) : dot_kernel(query.dtype)),
      query_(query.data),
      dim_(query.dim),
      metric_(metric),
      query_inverse_norm_(metric == Metric::cosine ? math::inverse_norm(query) : 0) {}

float Scorer::operator()(const void* row, float inverse_norm) const {
  const float value = kernel_(query_, row, dim_);
  switch (metric_) {
    case Metric::l2:
      return value;
    case Metric::ip:
      return 1 - value;
    case Metric::cosine:
      return 1 - value * query_inverse_norm_ * inverse_norm;
  }
  return value;
}

}  // namespace cairn::math
#endif  // HWY_ONCE
