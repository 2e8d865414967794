// A tile is R rows by V vectors of columns, its accumulators in registers. For each 32-bit word of
// the rows: V loads of the panel, one broadcast of each row, R * V multiply-accumulates.
#include "engine/math/tile.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/tile.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "engine/math/simd-inl.h"

#ifndef CAIRN_TILE_TYPES_
#define CAIRN_TILE_TYPES_
namespace cairn::math {

inline constexpr std::size_t kPanel = 16;  // columns a panel: one vector of AVX-512, two of AVX2
/// Words of a row multiplied at once: a panel of them (16 KiB) and the rows stay in L1.
inline constexpr std::size_t kWordsAtOnce = 256;

struct PackJob {
  const std::uint8_t* source;
  const std::uint32_t* ids;  // null: rows in order
  std::size_t count, dim, words;
  DType dtype;
  std::uint32_t *rows, *panel, *norms;
};

struct TileJob {
  const std::uint32_t* rows;  // first of `row_count` rows
  const std::uint32_t* row_norms;
  const std::uint32_t* panel;  // first column's panel
  const std::uint32_t* column_norms;
  std::size_t row_count, column_count, words;
  float* out;
  std::size_t ld;
};

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// What differs between bytes (pairs of int16 in an int32) and floats.
template <class T>
struct Lane {
  using Tag = hn::CappedTag<T, kPanel>;
  using V = hn::Vec<Tag>;
  static HWY_INLINE V load(const std::uint32_t* p) {
    const Tag d;
    return hn::BitCast(d, hn::LoadU(hn::RebindToUnsigned<Tag>(), p));
  }
  static HWY_INLINE V broadcast(const std::uint32_t* p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return hn::Set(Tag(), value);
  }
  static HWY_INLINE V load_sum(const float* p) {
    return load(reinterpret_cast<const std::uint32_t*>(p));
  }
  static HWY_INLINE void store_sum(V v, float* p) {
    const hn::RebindToUnsigned<Tag> du;
    hn::StoreU(hn::BitCast(du, v), du, reinterpret_cast<std::uint32_t*>(p));
  }
  static HWY_INLINE V multiply_add(V a, V b, V sum) {
    if constexpr (std::is_same_v<T, float>)
      return hn::MulAdd(a, b, sum);
    else
      return pin(madd_pairs(Tag(), a, b, sum));
  }
  /// |a|^2 + |b|^2 - 2 a.b; doubling is exact, so contraction to FMA changes nothing.
  static HWY_INLINE auto distance(V norms, V dot) {
    const hn::CappedTag<float, kPanel> df;
    const V difference = hn::Sub(norms, hn::Add(dot, dot));
    if constexpr (std::is_same_v<T, float>)
      return hn::Max(difference, hn::Zero(df));
    else
      return hn::ConvertTo(df, difference);
  }
};

template <class T, std::size_t R, std::size_t V>
HWY_INLINE void accumulate(const std::uint32_t* rows, std::size_t stride,
                           const std::uint32_t* const (&columns)[V], std::size_t words,
                           typename Lane<T>::V (&sum)[R][V]) {
  using L = Lane<T>;
  std::size_t k = 0;
  do {
    typename L::V b[V];
    HWY_UNROLL(16)
    for (std::size_t v = 0; v < V; ++v) b[v] = L::load(columns[v] + k * kPanel);
    HWY_UNROLL(16)
    for (std::size_t r = 0; r < R; ++r) {
      const auto a = L::broadcast(rows + r * stride + k);
      HWY_UNROLL(16)
      for (std::size_t v = 0; v < V; ++v) sum[r][v] = L::multiply_add(a, b[v], sum[r][v]);
    }
  } while (++k < words);
}

/// The sums of one tile at `out`: as they are, or finished into distances.
template <class T, std::size_t R, std::size_t V>
HWY_INLINE void finish(const typename Lane<T>::V (&sum)[R][V], const std::uint32_t* row_norms,
                       const std::uint32_t* column_norms, float* out, std::size_t ld) {
  using L = Lane<T>;
  const std::size_t lanes = hn::Lanes(typename L::Tag());
  for (std::size_t r = 0; r < R; ++r) {
    const auto row_norm = L::broadcast(row_norms + r);
    for (std::size_t v = 0; v < V; ++v) {
      const auto norms = hn::Add(row_norm, L::load(column_norms + v * lanes));
      hn::StoreU(L::distance(norms, sum[r][v]), hn::CappedTag<float, kPanel>(),
                 out + r * ld + v * lanes);
    }
  }
}

/// One tile over words [begin, end). Sums that are not complete wait in `out`.
template <class T, std::size_t R, std::size_t V>
HWY_NOINLINE void tile(const TileJob& job, std::size_t row, std::size_t column, std::size_t begin,
                       std::size_t end) {
  using L = Lane<T>;
  const typename L::Tag d;
  const std::size_t lanes = hn::Lanes(d), ld = job.ld, words = job.words;
  const std::uint32_t* columns[V];
  for (std::size_t v = 0; v < V; ++v) {
    const std::size_t at = column + v * lanes;
    columns[v] = job.panel + (at / kPanel * words + begin) * kPanel + at % kPanel;
  }
  float* out = job.out + row * ld + column;
  typename L::V sum[R][V];
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t v = 0; v < V; ++v)
      sum[r][v] = begin == 0 ? hn::Zero(d) : L::load_sum(out + r * ld + v * lanes);
  accumulate<T, R, V>(job.rows + row * words + begin, words, columns, end - begin, sum);
  if (end == words) return finish<T>(sum, job.row_norms + row, job.column_norms + column, out, ld);
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t v = 0; v < V; ++v) L::store_sum(sum[r][v], out + r * ld + v * lanes);
}

/// Registers decide: 12 rows by 2 vectors of the 32 of AVX-512, 6 by 2 of 16.
#if HWY_TARGET == HWY_AVX3
inline constexpr std::size_t kTileRows = 12;
#else
inline constexpr std::size_t kTileRows = 6;
#endif

template <class T>
HWY_INLINE void tile_words(const TileJob& job, std::size_t begin, std::size_t end) {
  const std::size_t lanes = hn::Lanes(typename Lane<T>::Tag());
  const std::size_t whole = job.row_count / 6 * 6;
  for (std::size_t column = 0; column < job.column_count; column += 2 * lanes) {
    std::size_t row = 0;
    for (; row + kTileRows <= whole; row += kTileRows)
      tile<T, kTileRows, 2>(job, row, column, begin, end);
    for (; row < whole; row += 6) tile<T, 6, 2>(job, row, column, begin, end);
  }
  if (whole == job.row_count) return;
  // Few rows: more columns, or the latency of the sums would show.
  for (std::size_t column = 0; column < job.column_count; column += 4 * lanes) {
    std::size_t row = whole;
    for (; row + 2 <= job.row_count; row += 2) tile<T, 2, 4>(job, row, column, begin, end);
    if (row < job.row_count) tile<T, 1, 4>(job, row, column, begin, end);
  }
}

template <class T>
HWY_INLINE void tile_all(const TileJob& job) {
  const std::size_t blocks = (job.words + kWordsAtOnce - 1) / kWordsAtOnce;
  for (std::size_t block = 0; block < blocks; ++block)
    tile_words<T>(job, block * job.words / blocks, (block + 1) * job.words / blocks);
}

void tile_bytes(const TileJob& job) { tile_all<std::int32_t>(job); }
void tile_floats(const TileJob& job) { tile_all<float>(job); }

/// to[j * to_ld + i] = from[i * from_ld + j] for i, j < 4.
template <class T>
HWY_INLINE void transpose_4x4(const T* from, std::size_t from_ld, T* to, std::size_t to_ld) {
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<T, 4> d;
  const hn::FixedTag<std::uint64_t, 2> d64;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_ld);
  const auto c = hn::LoadU(d, from + 2 * from_ld), e = hn::LoadU(d, from + 3 * from_ld);
  const auto ab_low = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
  const auto ab_high = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
  const auto ce_high = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab_low, ce_low)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab_low, ce_low)), d, to + to_ld);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab_high, ce_high)), d, to + 2 * to_ld);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab_high, ce_high)), d, to + 3 * to_ld);
#else
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) to[j * to_ld + i] = from[i * from_ld + j];
#endif
}

/// Sixteen rows of `words` become one panel.
HWY_INLINE void transpose(const std::uint32_t* rows, std::size_t words, std::uint32_t* panel) {
  std::size_t k = 0;
  for (; k + 4 <= words; k += 4)
    for (std::size_t row = 0; row < kPanel; row += 4)
      transpose_4x4(rows + row * words + k, words, panel + k * kPanel + row, kPanel);
  for (; k < words; ++k)
    for (std::size_t row = 0; row < kPanel; ++row) panel[k * kPanel + row] = rows[row * words + k];
}

void square(const float* from, float* to, std::size_t ld) {
  // Down the columns of `from`, so that stores are the ones in order.
  for (std::size_t j = 0; j < kTileColumns; j += 4)
    for (std::size_t i = 0; i < kTileColumns; i += 4)
      transpose_4x4(from + i * ld + j, ld, to + j * ld + i, ld);
}

template <class T>
HWY_INLINE void widen(const T* from, std::size_t dim, std::uint32_t* to_words) {
  auto* to = reinterpret_cast<std::int16_t*>(to_words);
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<std::int16_t> d;
  const hn::Rebind<T, decltype(d)> narrow;
  for (; i + hn::Lanes(d) <= dim; i += hn::Lanes(d))
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, from + i)), d, to + i);
#endif
  for (; i < dim; ++i) to[i] = from[i];
  if (dim % 2 != 0) to[dim] = 0;
}

template <class T>
HWY_INLINE void panel_norms(const std::uint32_t* panel, std::size_t words, std::uint32_t* norms) {
  using L = Lane<T>;
  const typename L::Tag d;
  for (std::size_t column = 0; column < kPanel; column += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (std::size_t k = 0; k < words; ++k) {
      const auto v = L::load(panel + k * kPanel + column);
      sum = L::multiply_add(v, v, sum);
    }
    L::store_sum(sum, reinterpret_cast<float*>(norms + column));
  }
}

HWY_INLINE void pack_row(const PackJob& job, std::size_t i, std::uint32_t* to) {
  const std::size_t row_bytes = job.dim * dtype_bytes(job.dtype);
  const auto row_at = [&](std::size_t at) {
    return job.source + (job.ids == nullptr ? at : job.ids[at]) * row_bytes;
  };
  constexpr std::size_t kAhead = 8;
  if (job.ids != nullptr && i + kAhead < job.count)
    for (std::size_t line = 0; line < std::min<std::size_t>(row_bytes, 512); line += 64)
      hwy::Prefetch(row_at(i + kAhead) + line);
  const std::uint8_t* row = row_at(i);
  switch (job.dtype) {
    case DType::u8:
      return widen(row, job.dim, to);
    case DType::i8:
      return widen(reinterpret_cast<const std::int8_t*>(row), job.dim, to);
    case DType::f32:
      std::memcpy(to, row, row_bytes);
      return;
  }
}

void pack(const PackJob& job) {
  const std::size_t padded = tile_ld(job.count);
  for (std::size_t first = 0; first < padded; first += kPanel) {
    std::uint32_t* rows = job.rows + first * job.words;
    std::uint32_t* panel = job.panel + first * job.words;
    for (std::size_t i = 0; i < kPanel; ++i) {
      std::uint32_t* to = rows + i * job.words;
      if (first + i < job.count)
        pack_row(job, first + i, to);
      else
        std::fill_n(to, job.words, 0);
    }
    transpose(rows, job.words, panel);
    if (job.dtype == DType::f32)
      panel_norms<float>(panel, job.words, job.norms + first);
    else
      panel_norms<std::int32_t>(panel, job.words, job.norms + first);
  }
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(tile_bytes);
HWY_EXPORT(tile_floats);
HWY_EXPORT(pack);
HWY_EXPORT(square);

template <class T>
void grow(AlignedVector<T>& data, std::size_t size) {
  if (data.size() < size) data.resize(size);
}

}  // namespace

struct TileAccess {
  static void run(const TileSet& a, std::size_t row_begin, std::size_t row_count, const TileSet& b,
                  std::size_t column_begin, std::size_t column_count, float* out, std::size_t ld) {
    const TileJob job{a.rows_.data() + row_begin * a.words_,
                      a.norms_.data() + row_begin,
                      b.panel_.data() + column_begin * b.words_,
                      b.norms_.data() + column_begin,
                      row_count,
                      column_count,
                      a.words_,
                      out,
                      ld};
    if (a.dtype_ == DType::f32)
      HWY_DYNAMIC_DISPATCH(tile_floats)(job);
    else
      HWY_DYNAMIC_DISPATCH(tile_bytes)(job);
  }
};

void TileSet::pack_rows(const VectorBatch& source, const std::uint32_t* ids, std::size_t count) {
  count_ = count;
  dtype_ = source.dtype;
  words_ = dtype_ == DType::f32 ? source.dim : (source.dim + std::size_t{1}) / 2;
  const std::size_t padded = tile_ld(count);
  grow(rows_, padded * words_);
  grow(panel_, padded * words_);
  grow(norms_, padded);
  HWY_DYNAMIC_DISPATCH(pack)
  ({static_cast<const std::uint8_t*>(source.data), ids, count, source.dim, words_, dtype_,
    rows_.data(), panel_.data(), norms_.data()});
}

void TileSet::pack(const VectorBatch& source, std::span<const std::uint32_t> ids) {
  pack_rows(source, ids.data(), ids.size());
}

void TileSet::pack(const VectorBatch& source) { pack_rows(source, nullptr, source.count); }

std::size_t TileSet::bytes() const {
  return (rows_.capacity() + panel_.capacity() + norms_.capacity()) * sizeof(std::uint32_t);
}

void tile_l2(const TileSet& a, std::size_t row_begin, std::size_t row_count, const TileSet& b,
             std::size_t column_begin, std::size_t column_count, float* out, std::size_t ld) {
  TileAccess::run(a, row_begin, row_count, b, column_begin, column_count, out, ld);
  const std::size_t padding = tile_ld(column_count) - column_count;
  for (std::size_t i = 0; i < row_count; ++i)
    std::fill_n(out + i * ld + column_count, padding, std::numeric_limits<float>::infinity());
}

void tile_l2(const TileSet& a, std::size_t row_begin, std::size_t row_count, const TileSet& b,
             float* out, std::size_t ld) {
  tile_l2(a, row_begin, row_count, b, 0, b.count(), out, ld);
}

void transpose_square(const float* from, float* to, std::size_t ld) {
  HWY_DYNAMIC_DISPATCH(square)(from, to, ld);
}

}  // namespace cairn::math
#endif  // HWY_ONCE
