// All-pairs squared l2 by register tiles: the work horse of the build. Bytes go through int16 pairs
// (exact int32), floats through FMA. Gram form: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/math/aligned.h"
#include "engine/math/topk.h"

namespace cairn::math {

/// Columns are padded to a multiple of this.
inline constexpr std::size_t kTileColumns = 64;

/// Shortest row of an output that holds one distance to each of `count` columns.
constexpr std::size_t tile_ld(std::size_t count) {
  return (count + kTileColumns - 1) / kTileColumns * kTileColumns;
}

/// A gathered set of rows packed twice: row-major (left operand) and in column panels (right
/// operand), with squared norms. Reused between calls: grows, never shrinks. Not thread-safe to
/// pack; any number of threads may read it. Memory: 2 * tile_ld(count) * dim * (2 bytes for u8 and
/// i8, 4 for f32), roughly.
class TileSet {
 public:
  /// Packs rows ids[0..) of `source`. All sets used together share dtype and dim.
  void pack(const VectorBatch& source, std::span<const std::uint32_t> ids);
  /// Packs rows [0, source.count) without an indirection.
  void pack(const VectorBatch& source);
  std::size_t count() const { return count_; }
  std::size_t bytes() const;

 private:
  friend struct TileAccess;
  void pack_rows(const VectorBatch& source, const std::uint32_t* ids, std::size_t count);

  std::size_t count_ = 0;
  std::size_t words_ = 0;  // of 32 bits a row: one float, or a pair of int16 (the last padded by 0)
  DType dtype_ = DType::u8;
  AlignedVector<std::uint32_t> rows_;   // (count, words)
  AlignedVector<std::uint32_t> panel_;  // (count / 16, words, 16): 16 columns side by side
  AlignedVector<std::uint32_t> norms_;  // (count): int32 for bytes, float for f32
};

/// out[i * ld + j] = |a_{row_begin + i} - b_j|^2 for i < row_count, all j < b.count(); clamped at
/// 0. ld >= tile_ld(b.count()); the padding is written with +infinity.
/// O(row_count * b.count() * dim); best when row_count is a multiple of 12.
///
/// Bytes are exact: the same on every path, rounded once when int32 becomes float. For f32 every
/// product is summed in the order of its elements, norms too, so a distance depends on nothing but
/// the two rows (not on the tile, the set or the thread), equal rows are exactly 0 apart, and AVX2
/// and AVX-512 agree bit for bit. Absolute error <= (dim + 2) * 2^-24 * (|a| + |b|)^2: near
/// duplicates far from the origin lose relative precision.
void tile_l2(const TileSet& a, std::size_t row_begin, std::size_t row_count, const TileSet& b,
             float* out, std::size_t ld);

/// The same for columns [column_begin, column_begin + column_count) only, column_begin a multiple
/// of kTileColumns; out[i * ld] holds the first of them. Half the pairs of a leaf need no more.
void tile_l2(const TileSet& a, std::size_t row_begin, std::size_t row_count, const TileSet& b,
             std::size_t column_begin, std::size_t column_count, float* out, std::size_t ld);

/// to[j * ld + i] = from[i * ld + j] for i, j < kTileColumns. The other half of the distances of a
/// set to itself: those of (i, j) and (j, i) are equal bit for bit.
void transpose_square(const float* from, float* to, std::size_t ld);

}  // namespace cairn::math
