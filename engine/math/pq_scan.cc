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
HWY_INLINE void add_pieces(const LayerJob& job) {
  const hn::CappedTag<float, kLanes> d;
  const std::size_t lanes = hn::Lanes(d), m = job.layer->book->shape.m;
  const std::size_t steps = kSteps != 0 ? kSteps : (job.layer->width_max + lanes - 1) / lanes;
  const std::uint32_t* begins = job.layer->begins.data();
  const float* centroids = job.layer->book->centroids.data();
  const auto centroid = [&](std::size_t s) {
    return centroids + kCentroids * begins[s] + job.code[s] * (begins[s + 1] - begins[s]);
  };
  for (std::size_t s = 0; s + 1 < m; ++s) {
    const float* from = job.from == nullptr ? nullptr : job.from + begins[s];
    for (std::size_t j = 0; j < steps; ++j)
      add_at(d, centroid(s), from, job.to + begins[s], j * lanes);
  }
  const std::size_t at = begins[m - 1];
  add_exactly<kLanes>(centroid(m - 1), job.from == nullptr ? nullptr : job.from + at, job.to + at,
                      begins[m] - at);
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

/// The distance to job.from + the code, where the widths of all pieces are one multiple of kLanes.
template <bool kL2, std::size_t kLanes>
HWY_INLINE float distance_to_sum(const LayerJob& job, const float* query) {
  const hn::CappedTag<float, kLanes> d;
  const std::size_t m = job.layer->book->shape.m, width = job.layer->width_max;
  const float *centroids = job.layer->book->centroids.data(), *from = job.from;
  auto even = hn::Zero(d), odd = even;
  for (std::size_t s = 0; s < m; ++s) {
    const float* centroid = centroids + job.code[s] * width;
    for (std::size_t j = 0; j < width; j += hn::Lanes(d)) {
      const auto x = hn::Add(hn::LoadU(d, centroid + j), hn::LoadU(d, from + j));
      const auto q = hn::LoadU(d, query + j);
      const auto term = kL2 ? hn::Sub(q, x) : q;
      const auto sum = hn::MulAdd(term, kL2 ? term : x, even);
      even = odd;
      odd = sum;
    }
    centroids += kCentroids * width;
    from += width;
    query += width;
  }
  const float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  return kL2 ? total : -total;
}

/// The base comes last: its many narrow pieces then need no store where their widths are even, and
/// narrow loads find what wide stores have just written.
float refined(const RefinedJob& job) {
  const std::size_t dim = job.layers[0].book->shape.dim;
  const auto part = [&](std::size_t l, const float* from, float* to) -> LayerJob {
    const LayeredCodebook::Layer& layer = job.layers[l];
    return {&layer, job.codes[l] + job.row * layer.book->shape.m, from, to};
  };
  const float* from = nullptr;
  float *to = job.scratch, *spare = to + dim + kOverrun;
  for (std::size_t l = 1; l < job.codes.size(); ++l) {
    add_layer(part(l, from, to));
    from = to;
    std::swap(to, spare);
  }
  const LayerJob base = part(0, from, to);
  const bool even = base.layer->width_min == base.layer->width_max;
  if (from != nullptr && even && base.layer->width_max % 4 == 0)
    return job.l2 ? distance_to_sum<true, 4>(base, job.query)
                  : distance_to_sum<false, 4>(base, job.query);
  add_layer(base);
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
