// What a query asks of product quantisation: sums of table entries, and distances to refined codes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/math/distance.h"
#include "engine/math/pq.h"
#include "engine/math/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/math/pq_scan.cc"
#include <hwy/foreach_target.h>

// After foreach_target.h.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#ifndef CAIRN_PQ_SCAN_TYPES_
#define CAIRN_PQ_SCAN_TYPES_
namespace cairn::math {

/// One layer of a code and where it goes: to[0, dim) = from[0, dim) + what the code stands for.
/// kOverrun floats behind either may be read or written.
struct LayerJob {
  const LayeredCodebook::Layer* layer;
  const std::uint8_t* code;
  const float* from;  // null: zeros
  float* to;
};
struct RefinedJob {
  std::span<const LayeredCodebook::Layer> layers;
  std::span<const std::uint8_t* const> codes;
  std::size_t row;
  const float* query;
  float* scratch;
  PairKernel kernel;  // of metric
  bool l2;
};
inline constexpr std::size_t kOverrun = 16;

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void add_at(D d, const float* centroid, const float* from, float* to, std::size_t at) {
  const auto x = hn::LoadU(d, centroid + at);
  hn::StoreU(from == nullptr ? x : hn::Add(x, hn::LoadU(d, from + at)), d, to + at);
}

/// A piece that nothing behind it makes good: its last vector ends where it ends.
template <std::size_t kLanes>
HWY_INLINE void add_exactly(const float* centroid, const float* from, float* to,
                            std::size_t width) {
  const hn::CappedTag<float, kLanes> d;
  const std::size_t lanes = hn::Lanes(d);
  if (width < lanes) {
    if constexpr (kLanes > 1) add_exactly<kLanes / 2>(centroid, from, to, width);
    return;
  }
  for (std::size_t j = 0; j + lanes < width; j += lanes) add_at(d, centroid, from, to, j);
  add_at(d, centroid, from, to, width - lanes);
}

/// Pieces in ascending order, each in whole vectors, `kSteps` of them (0: as many as it takes): the
/// next piece overwrites what a piece wrote behind its end. Not in place for that reason.
template <std::size_t kLanes, std::size_t kSteps>
HWY_NOINLINE void add_pieces(const LayerJob& job) {
  const hn::CappedTag<float, kLanes> d;
  const std::size_t lanes = hn::Lanes(d), m = job.layer->book->shape.m;
  const std::size_t steps = kSteps != 0 ? kSteps : (job.layer->width_max + lanes - 1) / lanes;
  const std::uint32_t* HWY_RESTRICT begins = job.layer->begins.data();
  const std::uint8_t* HWY_RESTRICT code = job.code;
  const float* HWY_RESTRICT centroids = job.layer->book->centroids.data();
  const float* HWY_RESTRICT from = job.from;
  float* HWY_RESTRICT to = job.to;
  std::size_t at = 0;
  for (std::size_t s = 0; s + 1 < m; ++s) {
    const std::size_t next = begins[s + 1];
    const float* centroid = centroids + kCentroids * at + code[s] * (next - at);
    for (std::size_t j = 0; j < steps; ++j)
      add_at(d, centroid, from == nullptr ? nullptr : from + at, to + at, j * lanes);
    at = next;
  }
  const std::size_t width = begins[m] - at;
  add_exactly<kLanes>(centroids + kCentroids * at + code[m - 1] * width,
                      from == nullptr ? nullptr : from + at, to + at, width);
}

template <std::size_t kLanes>
HWY_INLINE void add_layer_of(const LayerJob& job) {
  const std::size_t lanes = hn::Lanes(hn::CappedTag<float, kLanes>());
  switch ((job.layer->width_max + lanes - 1) / lanes) {
    case 1:
      return add_pieces<kLanes, 1>(job);
    case 2:
      return add_pieces<kLanes, 2>(job);
    case 3:
      return add_pieces<kLanes, 3>(job);
    default:
      return add_pieces<kLanes, 0>(job);
  }
}

HWY_INLINE void add_layer(const LayerJob& job) {
  if (job.layer->width_max <= 4) return add_layer_of<4>(job);
  if (job.layer->width_max <= 8) return add_layer_of<8>(job);
  return add_layer_of<16>(job);
}

/// Two codes of pieces of one width, a multiple of 4 elements, and what they are summed with.
struct EvenJob {
  const float *base, *last;  // codebooks
  const std::uint8_t *base_code, *last_code;
  const float *from, *query;
  std::size_t m, width;
};

/// The distance to from + base + last; without kFrom and kLast those are left out. Not inlined: the
/// loop has just enough registers. kWidth: 0: as the job says.
template <bool kL2, bool kFrom, bool kLast, std::size_t kWidth>
HWY_NOINLINE float distance_to_sum(const EvenJob& job) {
  const hn::CappedTag<float, 4> d;
  const std::size_t width = kWidth != 0 ? kWidth : job.width;
  const float *base = job.base, *last = job.last, *from = job.from, *query = job.query;
  auto even = hn::Zero(d), odd = even;
  for (std::size_t s = 0; s < job.m; ++s) {
    const float* b = base + job.base_code[s] * width;
    const float* l = kLast ? last + job.last_code[s] * width : nullptr;
    for (std::size_t j = 0; j < width; j += hn::Lanes(d)) {
      auto x = hn::LoadU(d, b + j);
      if constexpr (kFrom) x = hn::Add(x, hn::LoadU(d, from + j));
      if constexpr (kLast) x = hn::Add(x, hn::LoadU(d, l + j));
      const auto q = hn::LoadU(d, query + j);
      const auto term = kL2 ? hn::Sub(q, x) : q;
      const auto sum = hn::MulAdd(term, kL2 ? term : x, even);
      even = odd;
      odd = sum;
    }
    base += kCentroids * width;
    query += width;
    if constexpr (kLast) last += kCentroids * width;
    if constexpr (kFrom) from += width;
  }
  const float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  return kL2 ? total : -total;
}

template <bool kL2, bool kFrom, bool kLast>
HWY_INLINE float distance_by_width(const EvenJob& job) {
  if (job.width == 4) return distance_to_sum<kL2, kFrom, kLast, 4>(job);
  return distance_to_sum<kL2, kFrom, kLast, 0>(job);
}

template <bool kL2>
HWY_INLINE float distance_to_even(const EvenJob& job) {
  if (job.last == nullptr) return distance_by_width<kL2, true, false>(job);
  if (job.from == nullptr) return distance_by_width<kL2, false, true>(job);
  return distance_by_width<kL2, true, true>(job);
}

/// The base comes last: where the widths of its many narrow pieces are even they need no store, nor
/// do those of a last layer of the same shape, and narrow loads find what wide stores have written.
float refined(const RefinedJob& job) {
  const std::size_t dim = job.layers[0].book->shape.dim, count = job.codes.size();
  const auto code = [&](std::size_t l) {
    return job.codes[l] + job.row * job.layers[l].book->shape.m;
  };
  const LayeredCodebook::Layer &base = job.layers[0], &last = job.layers[count - 1];
  const std::uint32_t m = base.book->shape.m;
  const bool even = count > 1 && base.width_min == base.width_max && base.width_min % 4 == 0;
  const bool same = even && last.book->shape.m == m;
  const float* from = nullptr;
  float *to = job.scratch, *spare = to + dim + kOverrun;
  for (std::size_t l = 1; l + (same ? 1 : 0) < count; ++l) {
    add_layer({&job.layers[l], code(l), from, to});
    from = to;
    std::swap(to, spare);
  }
  if (even) {
    const EvenJob sum{base.book->centroids.data(),
                      same ? last.book->centroids.data() : nullptr,
                      code(0),
                      code(count - 1),
                      from,
                      job.query,
                      m,
                      base.width_min};
    return job.l2 ? distance_to_even<true>(sum) : distance_to_even<false>(sum);
  }
  add_layer({&base, code(0), from, to});
  const float total = job.kernel(job.query, to, dim);
  return job.l2 ? total : -total;
}

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(refined);

static_assert(std::endian::native == std::endian::little, "codes are read eight at a time");

/// Subspace s goes to sum s % 8: eight chains of additions instead of one. Gathers are slower than
/// scalar loads on AVX2 machines of AMD and gain little on Intel's.
inline float lookup(const float* table, const std::uint8_t* code, std::size_t m) {
  float sum[8] = {};
  std::size_t s = 0;
  for (; s + 8 <= m; s += 8, table += 8 * kCentroids) {
    std::uint64_t eight;
    std::memcpy(&eight, code + s, sizeof eight);
    for (std::size_t i = 0; i < 8; ++i) sum[i] += table[i * kCentroids + (eight >> (8 * i) & 0xff)];
  }
  for (std::size_t i = 0; s < m; ++s, ++i) sum[i] += table[i * kCentroids + code[s]];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/// Rows that are on their way while one is summed.
inline constexpr std::size_t kAhead = 16;

/// Always inlined: GCC 12 sees no effect in a function that only prefetches and drops its calls.
HWY_INLINE void prefetch_code(const std::uint8_t* codes, std::uint32_t slot, std::size_t m) {
  const std::uint8_t* row = codes + std::size_t{slot} * m;
  for (std::size_t at = 0; at < m; at += 64) hwy::Prefetch(row + at);
  hwy::Prefetch(row + m - 1);
}

}  // namespace

float pq_lookup(const float* table, const std::uint8_t* code, std::uint32_t m) {
  return lookup(table, code, m);
}

void pq_lookup_batch(const float* table, std::uint32_t m, const std::uint8_t* codes,
                     std::span<const std::uint32_t> slots, float* out) {
  for (std::size_t i = 0; i < std::min(kAhead, slots.size()); ++i)
    prefetch_code(codes, slots[i], m);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i + kAhead < slots.size()) prefetch_code(codes, slots[i + kAhead], m);
    out[i] = lookup(table, codes + std::size_t{slots[i]} * m, m);
  }
}

std::size_t pq_refined_floats(std::size_t dim) { return 2 * (dim + kOverrun); }

float pq_refined(const LayeredCodebook& book, std::span<const std::uint8_t* const> codes,
                 std::size_t row, Metric metric, const float* query, std::span<float> scratch) {
  const bool l2 = metric == Metric::l2;
  return HWY_DYNAMIC_DISPATCH(refined)(
      {.layers = book.layers(),
       .codes = codes,
       .row = row,
       .query = query,
       .scratch = scratch.data(),
       .kernel = l2 ? l2_kernel(DType::f32) : dot_kernel(DType::f32),
       .l2 = l2});
}

}  // namespace cairn::math
#endif  // HWY_ONCE
