#include "engine/build/space.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/math/distance.h"
#include "engine/math/kmeans.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsPerTask = 1024;

template <class T>
void widen(const void* row, std::uint32_t dim, float* out) {
  const T* from = static_cast<const T*>(row);
  for (std::uint32_t i = 0; i < dim; ++i) out[i] = static_cast<float>(from[i]);
}

void row_to_floats(const VectorView& row, float* out) {
  switch (row.dtype) {
    case DType::u8:
      return widen<std::uint8_t>(row.data, row.dim, out);
    case DType::i8:
      return widen<std::int8_t>(row.data, row.dim, out);
    case DType::f32:
      std::memcpy(out, row.data, row.bytes());
  }
}

void scale_to_unit(std::span<float> row, float inverse_norm) {
  for (float& value : row)
    value = static_cast<float>(static_cast<double>(value) * static_cast<double>(inverse_norm));
}

double squared_norm(std::span<const float> row) {
  double sum = 0;
  for (const float value : row) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

/// Appends sqrt(M^2 - |x|^2) to each row of `dim` elements; rows stand dim + 1 apart.
void augment(std::span<float> floats, std::uint32_t dim, const Workers& workers) {
  const std::size_t stride = dim + std::size_t{1};
  const std::size_t count = floats.size() / stride;
  std::vector<double> norms(count);
  const auto row = [&](std::size_t i) { return floats.subspan(i * stride, dim); };
  workers.each(count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t i = begin; i < end; ++i) norms[i] = squared_norm(row(i));
  });
  const double largest = *std::max_element(norms.begin(), norms.end());
  for (std::size_t i = 0; i < count; ++i)
    floats[i * stride + dim] = static_cast<float>(std::sqrt(largest - norms[i]));
}

}  // namespace

BuildSpace::BuildSpace(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> rows,
                       const Workers& workers)
    : vectors_(raw) {
  vectors_.count = rows.size();
  if (metric == Metric::l2) {
    if (rows.size() == raw.count) return;
    const std::size_t row_bytes = raw.row_bytes();
    bytes_.resize(rows.size() * row_bytes);
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::memcpy(bytes_.data() + i * row_bytes, raw.row(rows[i]).data, row_bytes);
    vectors_.data = bytes_.data();
    return;
  }
  const std::size_t stride = raw.dim + (metric == Metric::ip ? 1U : 0U);
  floats_.resize(rows.size() * stride);
  workers.each(rows.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t i = begin; i < end; ++i)
      to_code_space(metric, raw, rows.subspan(i, 1),
                    std::span(floats_).subspan(i * stride, raw.dim));
  });
  if (metric == Metric::ip) augment(floats_, raw.dim, workers);
  vectors_ = {floats_.data(), rows.size(), static_cast<std::uint32_t>(stride), DType::f32};
}

void to_floats(const VectorBatch& batch, std::span<const std::uint32_t> rows,
               std::span<float> out) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    row_to_floats(batch.row(rows[i]), out.data() + i * batch.dim);
}

void to_code_space(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> rows,
                   std::span<float> out) {
  to_floats(raw, rows, out);
  if (metric != Metric::cosine) return;
  for (std::size_t i = 0; i < rows.size(); ++i)
    scale_to_unit(out.subspan(i * raw.dim, raw.dim), math::inverse_norm(raw.row(rows[i])));
}

std::vector<std::uint32_t> draw_sample(std::uint64_t bound, std::uint64_t count,
                                       std::uint64_t seed) {
  std::vector<std::uint32_t> sample;
  sample.reserve(std::min(bound, count));
  math::Rng rng(seed);
  for (std::uint64_t i = 0; i < bound && sample.size() < count; ++i)
    if (rng.below(bound - i) < count - sample.size())
      sample.push_back(static_cast<std::uint32_t>(i));
  return sample;
}

}  // namespace cairn::build
