#include "engine/build/entries.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/build/space.h"
#include "engine/math/distance.h"
#include "engine/math/kmeans.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kOneOf = 32;
constexpr std::uint64_t kSmall = 64;
constexpr std::uint32_t kListsMax = 256;
constexpr std::uint64_t kTrainRows = 16384;
constexpr std::size_t kRowsPerTask = 1024;

struct Assigned {
  std::vector<std::uint32_t> list;  // by sample
  std::vector<float> distance;      // to the list's centroid
};

Assigned assign_samples(const VectorBatch& vectors, std::span<const std::uint32_t> samples,
                        std::span<const float> centroids, const Workers& workers) {
  Assigned assigned{std::vector<std::uint32_t>(samples.size()), std::vector<float>(samples.size())};
  const math::PairKernel l2 = math::l2_kernel(DType::f32);
  const std::size_t dim = vectors.dim;
  workers.each(
      samples.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
        std::vector<float> rows((end - begin) * dim);
        to_floats(vectors, samples.subspan(begin, end - begin), rows);
        math::assign(rows, vectors.dim, centroids,
                     std::span(assigned.list).subspan(begin, end - begin));
        for (std::size_t i = begin; i < end; ++i)
          assigned.distance[i] =
              l2(rows.data() + (i - begin) * dim, centroids.data() + assigned.list[i] * dim, dim);
      });
  return assigned;
}

std::vector<float> train_centroids(const VectorBatch& vectors,
                                   std::span<const std::uint32_t> samples, std::uint64_t seed) {
  const auto chosen = draw_sample(samples.size(), kTrainRows, seed);
  std::vector<std::uint32_t> rows;
  for (const std::uint32_t c : chosen) rows.push_back(samples[c]);
  std::vector<float> floats(rows.size() * vectors.dim);
  to_floats(vectors, rows, floats);
  const auto lists = static_cast<std::uint32_t>(std::sqrt(static_cast<double>(samples.size())));
  return math::kmeans(floats, vectors.dim,
                      {.k = std::clamp(lists, 1U, kListsMax), .iterations = 8, .seed = seed});
}

}  // namespace

layout::Entries choose_entries(const VectorBatch& vectors,
                               std::span<const std::uint32_t> slot_of_vector, std::uint64_t seed,
                               const Workers& workers) {
  const std::uint64_t wanted = std::max(std::min(vectors.count, kSmall), vectors.count / kOneOf);
  const std::vector<std::uint32_t> samples = draw_sample(vectors.count, wanted, seed);
  const std::vector<float> centroids = train_centroids(vectors, samples, seed);
  const Assigned assigned = assign_samples(vectors, samples, centroids, workers);

  std::vector<std::vector<std::uint32_t>> lists(centroids.size() / vectors.dim);
  for (std::uint32_t i = 0; i < samples.size(); ++i) lists[assigned.list[i]].push_back(i);
  layout::Entries entries;
  entries.begins.push_back(0);
  for (const auto& list : lists) {
    if (list.empty()) continue;
    const auto head =
        *std::min_element(list.begin(), list.end(), [&](std::uint32_t a, std::uint32_t b) {
          return assigned.distance[a] < assigned.distance[b];
        });
    entries.heads.push_back(slot_of_vector[samples[head]]);
    for (const std::uint32_t i : list) entries.slots.push_back(slot_of_vector[samples[i]]);
    entries.begins.push_back(static_cast<std::uint32_t>(entries.slots.size()));
  }
  return entries;
}

}  // namespace cairn::build
