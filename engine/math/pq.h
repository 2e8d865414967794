// Product quantisation (Jegou, Douze, Schmid: Product Quantization for Nearest Neighbor Search,
// TPAMI 2011) with 256 centroids a subspace, any dimension (subspaces may differ by one element),
// and further codebooks for refinement, each over what those before it leave over.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/math/kmeans.h"
#include "engine/math/nearest.h"

namespace cairn::math {

inline constexpr std::uint32_t kCentroids = 256;

/// Subspace s covers elements [s * dim / m, (s + 1) * dim / m).
struct PqShape {
  std::uint32_t dim = 0;
  std::uint32_t m = 0;  // subspaces = code bytes; 1 <= m <= dim
  std::uint32_t begin(std::uint32_t s) const {
    return static_cast<std::uint32_t>(std::uint64_t{s} * dim / m);
  }
};

struct Codebook {
  PqShape shape;
  /// For each subspace s: 256 centroids of width w = begin(s+1)-begin(s), row-major, starting at
  /// 256 * begin(s). 256 * dim floats in all.
  std::vector<float> centroids;
  /// Derived by pq_prepare: the same centroids as the kernels want them. Never stored.
  std::vector<CentroidPanel> panels = {};

  std::size_t bytes() const;  // in RAM, panels included
};

/// Of its centroids, as they are stored.
inline std::uint64_t codebook_bytes(std::uint32_t dim) {
  return std::uint64_t{kCentroids} * dim * sizeof(float);
}

/// Derives `panels`. Call it once after filling `centroids` by hand (pq_train has); without it
/// pq_encode and pq_table work but derive them again on every call. O(256 * dim).
void pq_prepare(Codebook& book);

struct PqTrainOptions {
  std::uint32_t iterations = 10;
  std::uint64_t seed = 1;
  ParallelFor parallel = {};  // over subspaces; empty: the calling thread; the result is the same
};

/// Lloyd's on each subspace of `sample` (count x dim floats, row-major, count >= 1). Deterministic.
/// A sample of fewer than 256 rows gives repeated centroids. Of a large one every fourth row is
/// used but for the last third of the iterations. O(iterations * count * 256 * dim).
Codebook pq_train(std::span<const float> sample, PqShape shape, const PqTrainOptions& options);

/// codes: count x m bytes. Nearest centroid of each subspace, lowest index on ties.
/// Thread-safe on a shared codebook.
void pq_encode(const Codebook& book, std::span<const float> rows, std::span<std::uint8_t> codes);

/// rows: count x dim floats, the centroids named by the codes.
void pq_decode(const Codebook& book, std::span<const std::uint8_t> codes, std::span<float> rows);

/// table[s * 256 + c] so that the sum over s of table[s * 256 + code[s]] is the code distance:
/// l2: |q - x'|^2; otherwise - q . x' (the caller adds its constant). query: dim floats.
void pq_table(const Codebook& book, Metric metric, std::span<const float> query,
              std::span<float> table);

/// Sum of m table entries, in a fixed order: the same on every path. O(m).
float pq_lookup(const float* table, const std::uint8_t* code, std::uint32_t m);

/// out[i] = pq_lookup of the row codes[slots[i] * m ..], bit for bit, with the rows ahead
/// prefetched: the rows lie anywhere in a table far larger than any cache. O(slots * m).
void pq_lookup_batch(const float* table, std::uint32_t m, const std::uint8_t* codes,
                     std::span<const std::uint32_t> slots, float* out);

/// A code in layers: the base, then refinements, each of what the layers before it leave over. All
/// are of one dim.
class LayeredCodebook {
 public:
  struct Layer {
    const Codebook* book;
    std::uint32_t width_min, width_max;
    std::vector<std::uint32_t> begins;  // of the subspaces, and dim: no division a query
  };

  void reserve(std::size_t layers) { layers_.reserve(layers); }
  /// `book` must outlive this.
  void add(const Codebook& book);
  std::span<const Layer> layers() const { return layers_; }
  std::size_t bytes() const;  // in RAM, the codebooks themselves not counted

 private:
  std::vector<Layer> layers_;
};

/// Floats that pq_refined needs for itself.
std::size_t pq_refined_floats(std::size_t dim);

/// Distance of the query to the sum of what the codes of `row` stand for in the first codes.size()
/// layers, decoded on the fly: codes[l] + row * m of layer l. l2: squared l2; otherwise - q . x'.
/// `scratch`: pq_refined_floats(dim) of any value. O(layers * dim).
float pq_refined(const LayeredCodebook& book, std::span<const std::uint8_t* const> codes,
                 std::size_t row, Metric metric, const float* query, std::span<float> scratch);

}  // namespace cairn::math
