// Distances of one query to codes: one table for each distinct codebook of the segments searched.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/search/segment.h"

namespace cairn::search {

class CodeTables {
 public:
  /// Converts the query to floats (to unit length under cosine, as the codes are of unit vectors)
  /// and builds the tables. O(256 * dim) a codebook. `segments` must outlive the search.
  void reset(Metric metric, VectorView query, std::span<const Segment> segments);

  /// distances[i] = code distance of slots[i]; never NaN or infinite. O(count * m).
  void base(std::uint32_t segment, std::span<const std::uint32_t> slots, float* distances) const;
  /// Distance to the base code plus what is loaded of its refinement, on the scale of base();
  /// `base_distance` where the segment has no refinement. O(layers * dim).
  float refined(std::uint32_t segment, std::uint32_t slot, float base_distance);
  void prefetch_refinement(std::uint32_t segment, std::uint32_t slot) const {
    const Segment& s = segments_[segment];
    if (s.refine_codebook == nullptr) return;
    for (std::size_t layer = 0; layer < s.refine_codes.size(); ++layer)
      __builtin_prefetch(s.refine_codes[layer] +
                         std::size_t{slot} * s.refine_codebook->layers()[layer].book->shape.m);
  }

  std::size_t ram_bytes() const;

 private:
  std::size_t twin_of(const Segment& segment) const;  // first segment with the same codebook

  Metric metric_ = Metric::l2;
  std::span<const Segment> segments_;
  std::vector<float> query_;
  std::vector<float> scratch_;  // of refined(); empty when nothing is refined
  std::vector<float> tables_;
  std::vector<std::size_t> table_at_;  // of each segment, in tables_
};

}  // namespace cairn::search
