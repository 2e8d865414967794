#include "engine/build/space.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/math/distance.h"
#include "engine/math/kmeans.h"
#include "engine/search/row_floats.h"

namespace cairn::build {
namespace {

void scale_to_unit(std::span<float> row, float inverse_norm) {
  for (float& value : row)
    value = static_cast<float>(static_cast<double>(value) * static_cast<double>(inverse_norm));
}

double squared_norm_of(std::span<const float> row) {
  double sum = 0;
  for (const float value : row) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

}  // namespace

double squared_norm(const VectorView& row) {
  thread_local std::vector<float> floats;
  floats.resize(row.dim);
  search::to_floats(row, floats);
  return squared_norm_of(floats);
}

void Space::map(const VectorBatch& raw, std::byte* out) const {
  if (metric == Metric::l2) {
    std::memcpy(out, raw.data, raw.count * raw.row_bytes());
    return;
  }
  auto* floats = reinterpret_cast<float*>(out);
  for (std::uint64_t i = 0; i < raw.count; ++i, floats += row_dim()) {
    const VectorView row = raw.row(i);
    search::to_floats(row, {floats, dim});
    if (metric == Metric::cosine) scale_to_unit({floats, dim}, math::inverse_norm(row));
    // The largest itself may round below its own norm.
    if (metric == Metric::ip)
      floats[dim] = static_cast<float>(
          std::sqrt(std::max(0.0, squared_norm_max - squared_norm_of({floats, dim}))));
  }
}

void to_floats(const VectorBatch& batch, std::span<const std::uint32_t> rows,
               std::span<float> out) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    search::to_floats(batch.row(rows[i]), out.subspan(i * batch.dim, batch.dim));
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
