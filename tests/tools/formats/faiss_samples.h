// FAISS index files written by hand, so that neither FAISS is needed nor the code under test is its
// own judge.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/tools/formats/format_samples.h"

namespace cairn::formats {

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;

/// Builds a file piece by piece and keeps in mind what each byte is.
class FaissSample {
 public:
  /// What names a kind: four bytes.
  FaissSample& name(std::string_view text);
  /// `metric`: 0 inner product, 1 L2. Most kinds say it but once: either is as good.
  FaissSample& header(std::uint32_t dim, std::uint64_t count, std::uint32_t metric = 1,
                      bool trained = true);
  FaissSample& u8(unsigned value);
  FaissSample& u32(std::uint32_t value);
  FaissSample& u64(std::uint64_t value);
  FaissSample& f32(float value);
  /// A count, which a lying file may say too large.
  FaissSample& count(std::uint64_t value);
  /// Bytes that nothing checks: others are another answer.
  FaissSample& free(const Bytes& bytes);
  FaissSample& free_u8(unsigned value) { return free(Sample{}.u8(value).bytes()); }

  /// Vectors: a count and items that nothing checks.
  FaissSample& floats(const Floats& values);
  FaissSample& bytes_of(const Bytes& values);
  FaissSample& longs(const std::vector<std::int64_t>& values);
  /// And some that are checked.
  FaissSample& ints(const Ints& values);
  FaissSample& sizes(const std::vector<std::uint64_t>& values);

  FaissSample& append(const FaissSample& other);

  const Bytes& bytes() const { return sample_.bytes(); }
  /// Offsets of counts.
  const std::vector<std::size_t>& counts() const { return counts_; }
  /// [first, last) of bytes that are checked or without influence.
  std::vector<std::pair<std::size_t, std::size_t>> structure() const;

 private:
  Sample sample_;
  std::vector<std::size_t> counts_;
  std::vector<std::pair<std::size_t, std::size_t>> free_;  // [first, last), ascending
};

/// start, start + 1, ..
Floats ramp(std::size_t count, float start = 0);

FaissSample faiss_flat(std::string_view kind, std::uint32_t dim, const Floats& rows,
                       std::uint32_t metric = 1);

/// Three elements, M 1: 0 -> 1; 1 -> 0, 2, above them 1 alone with no link; 2 -> 1.
struct FaissGraph {
  Ints ends{0, 2, 3}, levels{1, 2, 1};
  std::vector<std::uint64_t> offsets{0, 2, 5, 7};
  Ints links{1, -1, 0, 2, -1, 1, -1};
  std::uint32_t entry = 1;
};
FaissSample faiss_hnsw(std::string_view kind, std::uint32_t dim, const FaissGraph& graph,
                       const FaissSample& storage, std::uint32_t metric = 1);

/// A scalar quantizer without its codes.
FaissSample faiss_scalar(std::uint32_t type, std::uint32_t dim, std::uint64_t code_bytes,
                         const Floats& trained);
FaissSample faiss_sq(std::uint32_t dim, std::uint64_t count, const FaissSample& scalar,
                     const Bytes& codes);

/// A product quantizer without its codes.
FaissSample faiss_product(std::uint32_t dim, std::uint64_t parts, std::uint64_t bits,
                          const Floats& centroids);
FaissSample faiss_pq(std::string_view kind, std::uint32_t dim, std::uint64_t count,
                     const FaissSample& product, const Bytes& codes, std::uint32_t metric = 1);

struct FaissList {
  Bytes codes;
  std::vector<std::int64_t> ids;
};
/// `ilar`; sizes of all lists, or of those that are not empty.
FaissSample faiss_lists(const std::vector<FaissList>& lists, std::uint64_t code_bytes,
                        bool sparse = false);
/// Up to where each kind has its own: header, quantizer, no direct map.
FaissSample faiss_ivf(std::string_view kind, std::uint32_t dim, std::uint64_t count,
                      std::uint64_t lists, const FaissSample& quantizer, std::uint32_t metric = 1);

FaissSample faiss_id_map(std::string_view kind, std::uint32_t dim, const FaissSample& inner,
                         const std::vector<std::int64_t>& ids, std::uint32_t metric = 1);

FaissSample faiss_linear(std::string_view kind, std::uint32_t dim_in, std::uint32_t dim_out,
                         const Floats& matrix, const Floats& bias = {});
FaissSample faiss_norm(std::uint32_t dim, float power = 2);
FaissSample faiss_transformed(std::uint32_t dim, std::uint64_t count,
                              const std::vector<FaissSample>& transforms, const FaissSample& inner,
                              std::uint32_t metric = 1);

/// Bytes of f32 rows.
Bytes bytes_of_floats(const Floats& values);

}  // namespace cairn::formats
