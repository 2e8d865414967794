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

/// Two codes of m subspaces, all of one width.
struct RefinedJob {
  const float *base, *residual, *query;
  const std::uint8_t *base_code, *residual_code;
  std::size_t m, width;
};

}  // namespace cairn::math
#endif

HWY_BEFORE_NAMESPACE();
namespace cairn::math::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Elements [0, m * width), `kLanes` at a time; kLanes divides width.
template <bool kL2, std::size_t kLanes>
HWY_INLINE float refined_sum(const RefinedJob& job) {
  const hn::CappedTag<float, kLanes> d;
  const float *base = job.base, *residual = job.residual, *query = job.query;
  auto even = hn::Zero(d), odd = even;
  for (std::size_t s = 0; s < job.m; ++s) {
    const float* b = base + job.base_code[s] * job.width;
    const float* r = residual + job.residual_code[s] * job.width;
    for (std::size_t j = 0; j < job.width; j += hn::Lanes(d)) {
      const auto x = hn::Add(hn::LoadU(d, b + j), hn::LoadU(d, r + j));
      const auto q = hn::LoadU(d, query + j);
      const auto term = kL2 ? hn::Sub(q, x) : q;
      const auto sum = hn::MulAdd(term, kL2 ? term : x, even);
      even = odd;
      odd = sum;
    }
    base += kCentroids * job.width;
    residual += kCentroids * job.width;
    query += job.width;
  }
  const float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  return kL2 ? total : -total;
}

template <bool kL2>
HWY_INLINE float refined_equal_widths(const RefinedJob& job) {
  if (job.width % 4 == 0) return refined_sum<kL2, 4>(job);
  if (job.width % 2 == 0) return refined_sum<kL2, 2>(job);
  return refined_sum<kL2, 1>(job);
}

float refined_l2(const RefinedJob& job) { return refined_equal_widths<true>(job); }
float refined_minus_dot(const RefinedJob& job) { return refined_equal_widths<false>(job); }

}  // namespace cairn::math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::math {
namespace {

HWY_EXPORT(refined_l2);
HWY_EXPORT(refined_minus_dot);

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

/// Walks the subspaces of a code without dividing: widths are dim / m or one more, as begin() says.
class SubspaceWalk {
 public:
  SubspaceWalk(const Codebook& book, const std::uint8_t* code)
      : shape_(book.shape), code_(code), centroids_(book.centroids.data()) {
    enter();
  }
  std::size_t left() const { return width_ - at_; }
  const float* data() const { return centroids_ + *code_ * width_ + at_; }
  void advance(std::size_t count) {
    at_ += count;
    if (at_ < width_) return;
    centroids_ += kCentroids * width_;
    ++code_;
    if (++entered_ < shape_.m) enter();
  }

 private:
  void enter() {
    remainder_ += shape_.dim % shape_.m;
    width_ = shape_.dim / shape_.m + (remainder_ >= shape_.m ? 1 : 0);
    if (remainder_ >= shape_.m) remainder_ -= shape_.m;
    at_ = 0;
  }

  PqShape shape_;
  const std::uint8_t* code_;
  const float* centroids_;
  std::size_t width_ = 0, at_ = 0;
  std::uint32_t remainder_ = 0, entered_ = 0;
};

/// Any two shapes of the same dim: decoded in pieces, compared by the pair kernel.
float refined_any(const Codebook& base, const Codebook& residual, Metric metric, const float* query,
                  const std::uint8_t* base_code, const std::uint8_t* residual_code) {
  constexpr std::size_t kPiece = 1024;
  const PairKernel kernel = metric == Metric::l2 ? l2_kernel(DType::f32) : dot_kernel(DType::f32);
  SubspaceWalk b(base, base_code), r(residual, residual_code);
  float decoded[kPiece], total = 0;
  const std::size_t dim = base.shape.dim;
  for (std::size_t begin = 0; begin < dim; begin += kPiece) {
    const std::size_t size = std::min(kPiece, dim - begin);
    for (std::size_t at = 0; at < size;) {
      const std::size_t run = std::min({b.left(), r.left(), size - at});
      const float *from_base = b.data(), *from_residual = r.data();
      for (std::size_t j = 0; j < run; ++j) decoded[at + j] = from_base[j] + from_residual[j];
      at += run;
      b.advance(run);
      r.advance(run);
    }
    total += kernel(query + begin, decoded, size);
  }
  return metric == Metric::l2 ? total : -total;
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

float pq_refined(const Codebook& base, const Codebook& residual, Metric metric, const float* query,
                 const std::uint8_t* base_code, const std::uint8_t* residual_code) {
  const PqShape& shape = base.shape;
  if (shape.m != residual.shape.m || shape.dim % shape.m != 0)
    return refined_any(base, residual, metric, query, base_code, residual_code);
  const RefinedJob job{
      base.centroids.data(), residual.centroids.data(), query, base_code, residual_code, shape.m,
      shape.dim / shape.m};
  return metric == Metric::l2 ? HWY_DYNAMIC_DISPATCH(refined_l2)(job)
                              : HWY_DYNAMIC_DISPATCH(refined_minus_dot)(job);
}

}  // namespace cairn::math
#endif  // HWY_ONCE
