#include "bench/engine/math/peak.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/engine/math/peak.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/highway.h>

#include "engine/math/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::size_t kSums = 12;  // more than latency times ports of any machine

/// Seconds of `rounds` times kSums independent steps. The compiler is told that the operand changes
/// before each, or it would compute one product for all.
template <class D, class Step>
HWY_INLINE double time_steps(D d, std::size_t rounds, const Step& step) {
  hn::Vec<D> sum[kSums];
  for (std::size_t i = 0; i < kSums; ++i) sum[i] = hn::Set(d, static_cast<hn::TFromD<D>>(i));
  auto operand = hn::Set(d, hn::TFromD<D>(1));
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t round = 0; round < rounds; ++round) {
    HWY_UNROLL(12)
    for (std::size_t i = 0; i < kSums; ++i) {
      operand = pin(operand);
      sum[i] = pin(step(operand, sum[i]));
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  auto total = sum[0];
  for (std::size_t i = 1; i < kSums; ++i) total = hn::Add(total, sum[i]);
  volatile auto kept = hn::GetLane(total);
  (void)kept;
  return seconds.count();
}

/// Steps a second; the best of some short runs, which other processes do not cut in two.
template <class D, class Step>
HWY_INLINE double steps_each_second(D d, const Step& step) {
  constexpr std::size_t kRounds = 100'000, kRuns = 30;
  double best = 0;
  for (std::size_t run = 0; run < kRuns; ++run)
    best = std::max(best, static_cast<double>(kRounds * kSums) / time_steps(d, kRounds, step));
  return best;
}

double byte_macs() {
  const hn::CappedTag<std::int32_t, 16> d;
  const auto step = [d](auto a, auto sum) HWY_ATTR { return madd_pairs(d, a, a, sum); };
  return steps_each_second(d, step) * static_cast<double>(hn::Lanes(d) * 2);
}

double float_macs() {
  const hn::CappedTag<float, 16> d;
  const auto step = [](auto a, auto sum) HWY_ATTR { return hn::MulAdd(a, a, sum); };
  return steps_each_second(d, step) * static_cast<double>(hn::Lanes(d));
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(byte_macs);
HWY_EXPORT(float_macs);

}  // namespace

double peak_byte_macs() { return HWY_DYNAMIC_DISPATCH(byte_macs)(); }
double peak_float_macs() { return HWY_DYNAMIC_DISPATCH(float_macs)(); }

}  // namespace cairn::math
#endif  // HWY_ONCE
