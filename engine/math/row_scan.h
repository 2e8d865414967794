// Scans of a short row of candidates: numbers and distances side by side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::math {

/// Whether `value` is among values[0..count). O(count) in whole vectors; no alignment assumed.
bool contains(const std::uint32_t* values, std::size_t count, std::uint32_t value);

/// Place of the largest of distances[0..count), of equal ones that with the largest id (ids are
/// distinct). No NaN. 0 when count is 0. O(count) in whole vectors; no alignment assumed.
std::size_t farthest(const float* distances, const std::uint32_t* ids, std::size_t count);

}  // namespace cairn::math
