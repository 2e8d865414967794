// Exact distances between stored rows, by run-time dispatch (Highway: AVX-512, AVX2, SSE4, NEON,
// portable). Byte kernels are exact in int32 and equal on every path; f32 kernels differ between
// paths by rounding only (relative error <= 1e-5 * sqrt(dim), tested).
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <string_view>

namespace cairn::math {

/// Squared l2, or dot product, of two rows of `dim` elements; no alignment assumed. O(dim).
using PairKernel = float (*)(const void* a, const void* b, std::size_t dim);
PairKernel l2_kernel(DType dtype);
PairKernel dot_kernel(DType dtype);

/// 1 / |row|, or 0 for a zero row.
float inverse_norm(VectorView row);

/// Whether every element is finite (bit test; not affected by fast-math). Bytes always are.
bool all_finite(VectorView row);

/// Name of the dispatched path, e.g. "AVX2"; recorded in the manifest.
std::string_view kernel_path();

/// The one definition of a distance: squared l2; 1 - dot; 1 - cosine. Holds no copy of the query.
class Scorer {
 public:
  Scorer(Metric metric, VectorView query);
  /// `inverse_norm` of the row is read for Metric::cosine only.
  float operator()(const void* row, float inverse_norm) const;

 private:
  PairKernel kernel_;
  const void* query_;
  std::size_t dim_;
  Metric metric_;
  float query_inverse_norm_;
};

}  // namespace cairn::math
