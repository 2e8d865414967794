#include "engine/math/kmeans.h"

#include <algorithm>
#include <numeric>

#include "engine/math/nearest.h"

namespace cairn::math {
namespace {

constexpr std::size_t kChunkRows = 4096;  // of one parallel step

void for_each(const ParallelFor& parallel, std::size_t count,
              const std::function<void(std::size_t)>& body) {
  if (parallel) return parallel(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i);
}

void assign_rows(std::span<const float> rows, std::size_t dim, const CentroidPanel& panel,
                 const ParallelFor& parallel, std::span<std::uint32_t> assignment) {
  const std::size_t count = assignment.size();
  for_each(parallel, (count + kChunkRows - 1) / kChunkRows, [&](std::size_t chunk) {
    const std::size_t begin = chunk * kChunkRows, end = std::min(count, begin + kChunkRows);
    nearest(panel, rows.data() + begin * dim, dim, end - begin, assignment.data() + begin);
  });
}

/// The first k of a random order of [0, count).
std::vector<std::size_t> draw_rows(std::size_t count, std::size_t k, std::uint64_t seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  Rng random(seed);
  const std::size_t drawn = std::min(k, count);
  for (std::size_t i = 0; i < drawn; ++i) std::swap(order[i], order[i + random.below(count - i)]);
  order.resize(drawn);
  return order;
}

std::vector<float> drawn_centroids(std::span<const float> rows, std::size_t dim,
                                   const KmeansOptions& options) {
  std::vector<float> centroids(options.k * dim);
  const auto drawn = draw_rows(rows.size() / dim, options.k, options.seed);
  for (std::size_t c = 0; c < options.k; ++c)
    std::copy_n(rows.data() + drawn[c % drawn.size()] * dim, dim, centroids.data() + c * dim);
  return centroids;
}

double squared_distance(const float* a, const float* b, std::size_t dim) {
  double sum = 0;
  for (std::size_t j = 0; j < dim; ++j) sum += (double{a[j]} - b[j]) * (double{a[j]} - b[j]);
  return sum;
}

/// The `wanted` rows farthest from their centroids, lowest id on ties.
std::vector<std::size_t> farthest_rows(std::span<const float> rows, std::size_t dim,
                                       std::span<const float> centroids,
                                       std::span<const std::uint32_t> assignment,
                                       std::size_t wanted) {
  std::vector<double> distance(assignment.size());
  for (std::size_t i = 0; i < distance.size(); ++i)
    distance[i] =
        squared_distance(rows.data() + i * dim, centroids.data() + assignment[i] * dim, dim);
  std::vector<std::size_t> order(assignment.size());
  std::iota(order.begin(), order.end(), 0);
  wanted = std::min(wanted, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return distance[a] != distance[b] ? distance[a] > distance[b] : a < b;
                    });
  order.resize(wanted);
  return order;
}

/// Sets every centroid to the mean of its rows; returns the clusters that have none.
std::vector<std::size_t> update_means(std::span<const float> rows, std::size_t dim,
                                      std::span<const std::uint32_t> assignment,
                                      std::span<float> centroids) {
  const std::size_t k = centroids.size() / dim;
  std::vector<double> sums(centroids.size(), 0);
  std::vector<std::size_t> members(k, 0);
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    const float* row = rows.data() + i * dim;
    double* sum = sums.data() + assignment[i] * dim;
    for (std::size_t j = 0; j < dim; ++j) sum[j] += row[j];
    ++members[assignment[i]];
  }
  std::vector<std::size_t> empty;
  for (std::size_t c = 0; c < k; ++c) {
    if (members[c] == 0) {
      empty.push_back(c);
      continue;
    }
    const auto size = static_cast<double>(members[c]);
    for (std::size_t j = 0; j < dim; ++j)
      centroids[c * dim + j] = static_cast<float>(sums[c * dim + j] / size);
  }
  return empty;
}

}  // namespace

std::vector<float> kmeans(std::span<const float> rows, std::uint32_t dim,
                          const KmeansOptions& options) {
  const std::size_t count = rows.size() / dim;
  std::vector<float> centroids = options.start.empty()
                                     ? drawn_centroids(rows, dim, options)
                                     : std::vector(options.start.begin(), options.start.end());
  std::vector<std::uint32_t> assignment(count), previous;
  for (std::uint32_t iteration = 0; iteration < options.iterations; ++iteration) {
    assign_rows(rows, dim, pack_centroids(centroids, dim), options.parallel, assignment);
    if (assignment == previous) break;
    previous = assignment;
    const auto empty = update_means(rows, dim, assignment, centroids);
    if (empty.empty()) continue;
    const auto far = farthest_rows(rows, dim, centroids, assignment, empty.size());
    for (std::size_t i = 0; i < empty.size(); ++i)
      std::copy_n(rows.data() + far[i % far.size()] * dim, dim, centroids.data() + empty[i] * dim);
  }
  return centroids;
}

void assign(std::span<const float> rows, std::uint32_t dim, std::span<const float> centroids,
            std::span<std::uint32_t> assignment) {
  assign_rows(rows, dim, pack_centroids(centroids, dim), {}, assignment);
}

}  // namespace cairn::math
