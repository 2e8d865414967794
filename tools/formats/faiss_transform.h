// What a FAISS IndexPreTransform does to vectors before it stores them, and its reverse.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tools/formats/faiss_rows.h"

namespace cairn::formats::faiss {

/// From `dim_in` numbers to `dim_out`. Thread-safe once made.
class Transform {
 public:
  virtual ~Transform() = default;
  /// Stored vectors (n, dim_out) become vectors (n, dim_in) as FAISS's reverse_transform gives
  /// them.
  virtual void reverse(std::span<const float> stored, std::span<float> vectors) const = 0;
  /// For people, e.g. "rotation".
  virtual std::string name() const = 0;
  /// Whether it scales vectors to length 1.
  virtual bool normalises() const { return false; }
  /// Whether it adds something: inner products of what is stored are then not those of vectors.
  virtual bool shifts() const { return false; }

  std::uint32_t dim_in() const { return dim_in_; }
  std::uint32_t dim_out() const { return dim_out_; }

 protected:
  Transform(std::uint32_t dim_in, std::uint32_t dim_out) : dim_in_(dim_in), dim_out_(dim_out) {}

 private:
  std::uint32_t dim_in_, dim_out_;
};

using Transforms = std::vector<std::unique_ptr<Transform>>;

/// The chain of an index of `dim` dimensions: L2 norm, centring, and linear ones with orthonormal
/// rows (rotations, PCA, OPQ). Memory: the matrices, as large as in the file. Time: O(dim_out^2 *
/// dim_in) to see that rows are orthonormal. Errors: unsupported (another transform, or one that
/// has no reverse), corrupt.
Result<Transforms> take_transforms(Cursor& in, std::uint32_t dim);

/// What `stored` holds, transformed back.
std::unique_ptr<Rows> rows_transformed_back(std::unique_ptr<Rows> stored, Transforms transforms);

}  // namespace cairn::formats::faiss
