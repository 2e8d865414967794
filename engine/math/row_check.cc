#include "engine/math/row_check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "engine/math/distance.h"

namespace cairn::math {
namespace {

/// Of non-negative floats the bits ascend as the values do; infinity and NaN are above them all.
constexpr std::uint32_t kMagnitudeBits = 0x7fff'ffff;

std::uint32_t magnitude_bits(VectorView row, std::size_t i) {
  std::uint32_t bits;
  std::memcpy(&bits, static_cast<const std::byte*>(row.data) + i * sizeof bits, sizeof bits);
  return bits & kMagnitudeBits;
}

/// std::to_string shows small numbers as 0.
std::string short_number(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

tl::unexpected<Error> bad_row(std::string what, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = std::move(what),
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status check_elements(VectorView row, std::string_view name) {
  const float bound = magnitude_max(row.dim);
  const auto bits_max = std::bit_cast<std::uint32_t>(bound);
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < row.dim; ++i) largest = std::max(largest, magnitude_bits(row, i));
  if (largest <= bits_max) return {};
  std::size_t at = 0;
  while (magnitude_bits(row, at) <= bits_max) ++at;
  const auto magnitude = std::bit_cast<float>(magnitude_bits(row, at));
  std::string what = std::string(name) + ", element " + std::to_string(at);
  if (!std::isfinite(magnitude)) return bad_row(std::move(what), "NaN or infinity", "a number");
  return bad_row(std::move(what), "magnitude " + short_number(magnitude),
                 "at most " + short_number(bound) + ", so that distances are finite");
}

Status check_norm(VectorView row, std::string_view name) {
  const float inverse = inverse_norm(row);
  if (inverse == 0)
    return bad_row(std::string(name), "a zero vector", "a direction, as the metric is cosine");
  if (inverse <= 1 / kCosineNormMin) return {};
  return bad_row(std::string(name), "a vector of norm " + short_number(1.0 / double{inverse}),
                 "at least " + short_number(kCosineNormMin) + ", as the metric is cosine");
}

}  // namespace

float magnitude_max(std::uint32_t dim) {
  return static_cast<float>(std::sqrt(double{std::numeric_limits<float>::max()} / (8.0 * dim)));
}

Status check_row(Metric metric, VectorView row, std::string_view name) {
  if (row.dtype == DType::f32) CAIRN_TRY(check_elements(row, name));
  if (metric == Metric::cosine) CAIRN_TRY(check_norm(row, name));
  return {};
}

}  // namespace cairn::math
