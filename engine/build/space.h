// The two spaces of a build. Graphs are built in squared l2: cosine on unit rows, inner product on
// rows with one more element sqrt(M^2 - |x|^2), M the largest norm, where the nearest in l2 is the
// largest inner product (Bachrach et al., Speeding up the Xbox recommender system using a Euclidean
// transformation for inner-product spaces, RecSys 2014). Codes live without that element.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cairn::build {

/// The space in which graphs are built.
struct Space {
  Metric metric = Metric::l2;
  DType dtype = DType::f32;     // of the raw rows
  std::uint32_t dim = 0;        // of the raw rows
  double squared_norm_max = 0;  // of all raw rows; inner product alone needs it

  DType row_dtype() const { return metric == Metric::l2 ? dtype : DType::f32; }
  std::uint32_t row_dim() const { return dim + (metric == Metric::ip ? 1U : 0U); }
  std::size_t row_bytes() const { return row_dim() * dtype_bytes(row_dtype()); }
  std::size_t raw_row_bytes() const { return dim * dtype_bytes(dtype); }
  /// `raw.count` rows of row_bytes(), aligned for their type. O(count * dim).
  void map(const VectorBatch& raw, std::byte* out) const;
};

/// In double, of the elements as floats.
double squared_norm(const VectorView& row);

/// `rows` of `batch` as floats, row-major.
void to_floats(const VectorBatch& batch, std::span<const std::uint32_t> rows, std::span<float> out);

/// `rows` of the raw vectors as codes see them: unit length for cosine, else as they are.
void to_code_space(Metric metric, const VectorBatch& raw, std::span<const std::uint32_t> rows,
                   std::span<float> out);

/// `count` distinct numbers below `bound`, ascending, drawn by seed (Knuth, The Art of Computer
/// Programming, volume 2, algorithm 3.4.2 S); all of them when count >= bound. O(bound).
std::vector<std::uint32_t> draw_sample(std::uint64_t bound, std::uint64_t count,
                                       std::uint64_t seed);

}  // namespace cairn::build
