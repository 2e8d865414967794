// Which rows and queries have distances that order them: neither overflowing a float nor lost below
// its smallest.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <string_view>

namespace cairn::math {

/// Largest magnitude of an f32 element: the squared l2 distance of two such rows of `dim` is at
/// most half of the largest float, which leaves room for rounding.
float magnitude_max(std::uint32_t dim);

/// Smallest norm of a row under cosine. The dot product of two such rows is 1e-24 * cosine or more,
/// so that products too small for a float change the cosine by less than 1e-9 at any dimension.
inline constexpr float kCosineNormMin = 1e-12F;

/// invalid_argument whose `what` begins with `name` when an element is not finite or of a magnitude
/// above magnitude_max(row.dim), naming the first such element, or when, under cosine, the norm is
/// below kCosineNormMin. No alignment assumed. O(dim).
Status check_row(Metric metric, VectorView row, std::string_view name);

}  // namespace cairn::math
