// Selection of the smallest of a row of distances.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::math {

inline constexpr std::size_t kSmallestMax = 8;

/// The k smallest of values[0..count), ascending, ties by index; k <= kSmallestMax. NaN counts as
/// +infinity. With count < k the rest is index 2^32 - 1, value +infinity. O(count) with two
/// vector passes; no alignment assumed.
void smallest_k(const float* values, std::size_t count, std::size_t k, std::uint32_t* index,
                float* value);

/// Index of the smallest of values[0..count), first on ties; 0 when count is 0.
std::size_t argmin(const float* values, std::size_t count);

}  // namespace cairn::math
