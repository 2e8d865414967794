#include "bench/tools/hardness.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/math/distance.h"
#include "engine/math/pq.h"
#include "engine/search/nearest_heap.h"
#include "engine/workers.h"
#include "tools/vectors.h"

namespace cairn::bench {
namespace {

constexpr std::uint32_t kNeighbors = 100;
constexpr std::uint32_t kCodeBytes = 32;
constexpr std::uint32_t kCodeNearest = 20;
constexpr std::uint32_t kHeld = 10;
constexpr std::uint64_t kSampleMax = 50000;

void to_floats(VectorView row, float* out) {
  for (std::uint32_t d = 0; d < row.dim; ++d) {
    switch (row.dtype) {
      case DType::u8:
        out[d] = static_cast<const std::uint8_t*>(row.data)[d];
        break;
      case DType::i8:
        out[d] = static_cast<const std::int8_t*>(row.data)[d];
        break;
      case DType::f32:
        out[d] = static_cast<const float*>(row.data)[d];
        break;
    }
  }
}

/// squared: ascending squared distances.
std::optional<double> intrinsic_dimension(std::span<const float> squared) {
  double sum = 0;
  std::size_t count = 0;
  for (float d : squared.first(squared.size() - 1)) {
    if (d <= 0) continue;
    sum += std::log(std::sqrt(double{d} / double{squared.back()}));
    ++count;
  }
  if (sum >= 0) return std::nullopt;
  return -static_cast<double>(count) / sum;
}

math::Codebook train(const VectorBatch& base, const math::ParallelFor& parallel) {
  const std::uint64_t count = std::min(base.count, kSampleMax);
  std::vector<float> sample(count * base.dim);
  for (std::uint64_t i = 0; i < count; ++i)
    to_floats(base.row(i * base.count / count), &sample[i * base.dim]);
  math::PqTrainOptions options;
  options.parallel = parallel;
  return math::pq_train(sample, {base.dim, std::min(kCodeBytes, base.dim)}, options);
}

std::vector<std::uint8_t> encode(const math::Codebook& book, const VectorBatch& base,
                                 const build::Workers& workers) {
  const std::size_t m = book.shape.m;
  std::vector<std::uint8_t> codes(base.count * m);
  workers.each(base.count, 1024, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    std::vector<float> rows((end - begin) * base.dim);
    for (std::size_t i = begin; i < end; ++i) to_floats(base.row(i), &rows[(i - begin) * base.dim]);
    math::pq_encode(book, rows, std::span{codes}.subspan(begin * m, (end - begin) * m));
  });
  return codes;
}

/// How many of the kCodeNearest by codes are no farther than the kHeld-th true neighbour.
std::size_t held(const math::Codebook& book, const std::vector<std::uint8_t>& codes,
                 const VectorBatch& base, VectorView query, float true_distance) {
  const std::uint32_t m = book.shape.m;
  std::vector<float> elements(query.dim), table(std::size_t{m} * math::kCentroids);
  to_floats(query, elements.data());
  math::pq_table(book, Metric::l2, elements, table);
  search::NearestHeap nearest{kCodeNearest};
  for (std::uint32_t i = 0; i < base.count; ++i)
    nearest.offer({math::pq_lookup(table.data(), &codes[std::size_t{i} * m], m), i});
  const math::Scorer scorer{Metric::l2, query};
  std::size_t count = 0;
  for (const auto& entry : nearest.sorted())
    if (scorer(base.row(entry.id).data, 0) <= true_distance) ++count;
  return std::min<std::size_t>(count, kHeld);
}

double zeros_of(const VectorBatch& base) {
  std::vector<float> row(base.dim);
  const std::uint64_t count = std::min(base.count, kSampleMax);
  std::uint64_t zeros = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    to_floats(base.row(i), row.data());
    zeros += static_cast<std::uint64_t>(std::count(row.begin(), row.end(), 0.0F));
  }
  return static_cast<double>(zeros) / static_cast<double>(count * base.dim);
}

}  // namespace

Hardness measure_hardness(const VectorBatch& base, const VectorBatch& queries,
                          std::uint32_t threads) {
  const build::Workers workers{threads};
  search::ExactOptions options;
  options.k = kNeighbors;
  options.threads = threads;
  tools::MemoryRows rows{base};
  const auto exact = search::exact_neighbors(rows, queries, options).value();
  const auto true_row = [&](std::uint64_t i) {
    return std::span{exact.distances}.subspan(i * kNeighbors, kNeighbors);
  };

  Hardness out;
  std::vector<double> dimensions;
  for (std::uint64_t i = 0; i < queries.count; ++i) {
    if (const auto one = intrinsic_dimension(true_row(i))) dimensions.push_back(*one);
    out.duplicates += true_row(i)[0] == 0 ? 1 : 0;
  }
  std::sort(dimensions.begin(), dimensions.end());
  const auto quantile = [&](double q) {
    return dimensions.empty() ? 0
                              : dimensions[static_cast<std::size_t>(
                                    q * static_cast<double>(dimensions.size() - 1))];
  };
  out.lid_p10 = quantile(0.1);
  out.lid_median = quantile(0.5);
  out.lid_p90 = quantile(0.9);

  const math::Codebook book = train(base, [&](std::size_t count, const auto& body) {
    workers.each(count, 1, [&](std::size_t i, std::size_t, std::uint32_t) { body(i); });
  });
  const auto codes = encode(book, base, workers);
  std::vector<std::size_t> counts(queries.count);
  workers.each(queries.count, 1, [&](std::size_t i, std::size_t, std::uint32_t) {
    counts[i] = held(book, codes, base, queries.row(i), true_row(i)[kHeld - 1]);
  });
  for (std::size_t count : counts) out.held_by_codes += static_cast<double>(count) / kHeld;
  const auto query_count = static_cast<double>(queries.count);
  out.held_by_codes /= query_count;
  out.duplicates /= query_count;
  out.zeros = zeros_of(base);
  return out;
}

}  // namespace cairn::bench
