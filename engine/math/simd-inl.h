// Helpers shared by the kernels, compiled once per target.
#if defined(CAIRN_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CAIRN_SIMD_INL_H_
#undef CAIRN_SIMD_INL_H_
#else
#define CAIRN_SIMD_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// acc + a.lo * b.lo + a.hi * b.hi for each 32-bit lane, taken as a pair of int16. Unlike Highway's
/// ReorderWidenMulAccumulate the products stay in their lane on every target.
template <class D32, class V = hn::Vec<D32>>
HWY_INLINE V madd_pairs(D32 d32, V a, V b, V acc) {
#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const hn::RepartitionToNarrow<D32> d16;
  V unused = acc;
  return hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, a), hn::BitCast(d16, b), acc, unused);
#else
  (void)d32;
  const V a_lo = hn::ShiftRight<16>(hn::ShiftLeft<16>(a));
  const V b_lo = hn::ShiftRight<16>(hn::ShiftLeft<16>(b));
  const V high = hn::Mul(hn::ShiftRight<16>(a), hn::ShiftRight<16>(b));
  return hn::Add(acc, hn::Add(hn::Mul(a_lo, b_lo), high));
#endif
}

/// Ends the reordering of `v` here. Left alone, GCC 12 runs the products of several rows ahead of
/// their sums, runs out of registers and spills accumulators in the inner loop (-25 % on AVX2).
template <class V>
HWY_INLINE V pin(V v) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  auto raw = v.raw;
  asm volatile("" : "+v"(raw));
  return V{raw};
#else
  return v;
#endif
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
