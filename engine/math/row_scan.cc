#include "engine/math/row_scan.h"

#include <algorithm>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/row_scan.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

bool contains_in(const std::uint32_t* values, std::size_t count, std::uint32_t value) {
  const hn::ScalableTag<std::uint32_t> d;
  const std::size_t n = hn::Lanes(d);
  const auto wanted = hn::Set(d, value);
  std::size_t i = 0;
  if (count < n) return std::find(values, values + count, value) != values + count;
  // No early exit: a branch a vector costs more than it saves.
  auto found = hn::Eq(hn::LoadU(d, values), wanted);
  for (i = n; i + n <= count; i += n)
    found = hn::Or(found, hn::Eq(hn::LoadU(d, values + i), wanted));
  if (!hn::AllFalse(d, found)) return true;
  for (; i < count; ++i)
    if (values[i] == value) return true;
  return false;
}

std::size_t farthest_of(const float* distances, const std::uint32_t* ids, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t n = hn::Lanes(d);
  std::size_t place = 0, i = 0;
  if (count >= n) {
    auto most = hn::LoadU(d, distances);
    for (i = n; i + n <= count; i += n) most = hn::Max(most, hn::LoadU(d, distances + i));
    const auto limit = hn::MaxOfLanes(d, most);
    bool first = true;
    for (i = 0; i + n <= count; i += n) {
      if (hn::AllFalse(d, hn::Eq(hn::LoadU(d, distances + i), limit))) continue;
      for (std::size_t lane = i; lane < i + n; ++lane) {
        if (distances[lane] != hn::GetLane(limit)) continue;
        if (first || ids[lane] > ids[place]) place = lane;
        first = false;
      }
    }
  }
  for (; i < count; ++i)
    if (distances[i] > distances[place] ||
        (distances[i] == distances[place] && ids[i] > ids[place]))
      place = i;
  return place;
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(contains_in);
HWY_EXPORT(farthest_of);

}  // namespace

bool contains(const std::uint32_t* values, std::size_t count, std::uint32_t value) {
  return HWY_DYNAMIC_DISPATCH(contains_in)(values, count, value);
}

std::size_t farthest(const float* distances, const std::uint32_t* ids, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(farthest_of)(distances, ids, count);
}

}  // namespace cairn::math
#endif  // HWY_ONCE
