#include "bench/engine/search/query_world.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>

#include "engine/build/pipnn.h"

namespace cairn::search::bench {
namespace {

using testing::Vectors;

Vectors read_u8bin(const std::string& path, std::uint32_t count_max) {
  std::ifstream file(path, std::ios::binary);
  std::uint32_t shape[2] = {0, 0};
  file.read(reinterpret_cast<char*>(shape), sizeof shape);
  Vectors vectors{DType::u8, shape[1], std::min(shape[0], count_max), {}};
  vectors.bytes.resize(std::size_t{vectors.count} * vectors.dim);
  file.read(reinterpret_cast<char*>(vectors.bytes.data()),
            static_cast<std::streamsize>(vectors.bytes.size()));
  if (!file) throw std::runtime_error("cannot read " + path);
  return vectors;
}

/// 128-d bytes on a curved surface of 16 intrinsic dimensions.
Vectors generate(std::uint32_t count, std::uint64_t seed) {
  constexpr std::uint32_t kDim = 128, kLatent = 16;
  std::mt19937_64 shape_random(7);
  std::normal_distribution<float> normal;
  std::vector<float> map(kDim * kLatent);
  for (float& x : map) x = normal(shape_random);
  std::mt19937_64 random(seed);
  Vectors vectors{DType::u8, kDim, count, std::vector<std::byte>(std::size_t{count} * kDim)};
  std::vector<float> latent(kLatent);
  for (std::size_t i = 0; i < count; ++i) {
    for (float& x : latent) x = normal(random);
    for (std::uint32_t j = 0; j < kDim; ++j) {
      float sum = 0;
      for (std::uint32_t l = 0; l < kLatent; ++l) sum += map[j * kLatent + l] * latent[l];
      const float value = 128 + 100 * std::sin(0.3f * sum) + 3 * normal(random);
      vectors.bytes[i * kDim + j] =
          static_cast<std::byte>(static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f)));
    }
  }
  return vectors;
}

/// The vectors in the order of the disk, and their graph in those numbers.
testing::Graph order_and_link(Vectors& vectors, const WorldOptions& options, std::uint32_t group) {
  const VectorBatch batch{vectors.bytes.data(), vectors.count, vectors.dim, vectors.dtype};
  const build::GraphOptions graph_options{.degree = options.degree};
  const build::Workers workers(2);
  build::LinkedRows linked(vectors.count, graph_options);
  build::link_leaves(batch, graph_options, workers, {}, linked);
  build::prune_rows(batch, {.cores = vectors.count, .other = {}}, graph_options, workers, {},
                    linked);
  const std::vector<std::uint32_t> order =
      build::locality_order(batch, linked.rows, group, graph_options, workers);
  std::vector<std::uint32_t> rank(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  testing::Graph renumbered(order.size());
  std::vector<std::byte> bytes(vectors.bytes.size());
  const std::size_t row_bytes = batch.row_bytes();
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    for (const std::uint32_t target : linked.rows.ids(order[i]))
      renumbered[i].push_back(rank[target]);
    std::memcpy(bytes.data() + i * row_bytes, batch.row(order[i]).data, row_bytes);
  }
  vectors.bytes.swap(bytes);
  return renumbered;
}

}  // namespace

World make_world(const WorldOptions& options) {
  World world;
  Vectors vectors = options.base_path.empty() ? generate(options.count, 1)
                                              : read_u8bin(options.base_path, options.count);
  world.queries = options.query_path.empty() ? generate(options.query_count, 2)
                                             : read_u8bin(options.query_path, options.query_count);
  testing::SegmentOptions segment{.m = options.code_bytes, .refine_m = options.refine_bytes};
  segment.slots_per_block = 13;
  segment.nav_slices = (options.degree + layout::kNavEdgesPerSlice - 1) / layout::kNavEdgesPerSlice;
  segment.entry_samples = static_cast<std::uint32_t>(std::sqrt(vectors.count / 32.0));
  segment.entry_lists = segment.entry_samples;
  segment.entries_by_distance = true;
  const testing::Graph graph = order_and_link(vectors, options, segment.slots_per_block);
  world.limits = {Metric::l2, vectors.dtype, vectors.dim, 4};
  world.owner = std::make_unique<testing::SmallSegment>(std::move(vectors), graph, segment);
  const testing::SmallSegment* owners[] = {world.owner.get()};
  for (std::uint32_t i = 0; i < world.queries.count; ++i) {
    SearchRequest request;
    request.query = world.queries.row(i);
    world.truth.emplace_back();
    for (const Neighbor& n : testing::exact_search(request, Metric::l2, owners))
      world.truth.back().push_back(n.label);
  }
  return world;
}

}  // namespace cairn::search::bench
