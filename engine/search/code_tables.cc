#include "engine/search/code_tables.h"

#include <algorithm>
#include <limits>

#include "engine/math/distance.h"
#include "engine/math/pq.h"
#include "engine/search/row_floats.h"

namespace cairn::search {
namespace {

// A codebook is data from disk: a distance that is no number must not upset the order of a list.
float finite(float distance) {
  constexpr float kMax = std::numeric_limits<float>::max();
  if (!(distance <= kMax)) return kMax;
  return distance < -kMax ? -kMax : distance;
}

std::size_t table_floats(const Segment& segment) {
  return std::size_t{math::kCentroids} * segment.codebook->shape.m;
}

}  // namespace

void CodeTables::reset(Metric metric, VectorView query, std::span<const Segment> segments) {
  metric_ = metric;
  segments_ = segments;
  query_.resize(query.dim);
  to_floats(query, query_);
  if (metric == Metric::cosine) {
    const float scale = math::inverse_norm(query);
    for (float& x : query_) x *= scale;
  }
  table_at_.clear();
  std::size_t floats = 0;
  for (const Segment& segment : segments) {
    const std::size_t twin = twin_of(segment);
    table_at_.push_back(twin < table_at_.size() ? table_at_[twin] : floats);
    if (table_at_.back() == floats) floats += table_floats(segment);
  }
  tables_.resize(floats);
  const bool refining = std::ranges::any_of(
      segments, [](const Segment& segment) { return segment.refine_codebook != nullptr; });
  scratch_.resize(refining ? math::pq_refined_floats(query.dim) : 0);
  for (std::size_t i = 0, built = 0; i < segments.size(); ++i) {
    if (table_at_[i] != built) continue;
    const std::size_t count = table_floats(segments[i]);
    math::pq_table(*segments[i].codebook, metric, query_, std::span(tables_).subspan(built, count));
    built += count;
  }
}

std::size_t CodeTables::twin_of(const Segment& segment) const {
  std::size_t twin = 0;
  while (segments_[twin].codebook != segment.codebook) ++twin;
  return twin;
}

void CodeTables::base(std::uint32_t segment, std::span<const std::uint32_t> slots,
                      float* distances) const {
  const Segment& s = segments_[segment];
  math::pq_lookup_batch(tables_.data() + table_at_[segment], s.codebook->shape.m, s.codes, slots,
                        distances);
  for (std::size_t i = 0; i < slots.size(); ++i) distances[i] = finite(distances[i]);
}

float CodeTables::refined(std::uint32_t segment, std::uint32_t slot, float base_distance) {
  const Segment& s = segments_[segment];
  if (s.refine_codebook == nullptr) return base_distance;
  return finite(
      math::pq_refined(*s.refine_codebook, s.refine_codes, slot, metric_, query_.data(), scratch_));
}

std::size_t CodeTables::ram_bytes() const {
  return (query_.capacity() + scratch_.capacity() + tables_.capacity()) * sizeof(float) +
         table_at_.capacity() * sizeof(std::size_t);
}

}  // namespace cairn::search
