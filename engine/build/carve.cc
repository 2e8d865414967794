#include "engine/build/carve.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/math/kmeans.h"
#include "engine/math/topk.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRowsAtOnce = 96;  // left operand of one tile call; fits L2 with its output
constexpr std::size_t kFanoutMax = 8;    // what smallest_k sorts at once
constexpr std::size_t kTopChunk = 4096;  // ids per unit of parallel work at the first level

/// Nearest `fanout` leaders of each id, written to joined[i * fanout + j].
void join_leaders(const VectorBatch& vectors, std::span<const std::uint32_t> ids,
                  const math::TileSet& leaders, std::uint32_t fanout, math::TileSet& rows,
                  std::vector<float>& distances, std::uint32_t* joined) {
  const std::size_t ld = math::tile_ld(leaders.count());
  distances.resize(kRowsAtOnce * ld);
  float values[kFanoutMax];
  for (std::size_t begin = 0; begin < ids.size(); begin += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, ids.size() - begin);
    rows.pack(vectors, ids.subspan(begin, count));
    math::tile_l2(rows, 0, count, leaders, distances.data(), ld);
    for (std::size_t i = 0; i < count; ++i)
      math::smallest_k(distances.data() + i * ld, leaders.count(), fanout,
                       joined + (begin + i) * fanout, values);
  }
}

std::vector<Ids> gather_balls(std::span<const std::uint32_t> ids, std::size_t leader_count,
                              std::uint32_t fanout, const std::vector<std::uint32_t>& joined) {
  std::vector<std::uint32_t> sizes(leader_count);
  for (const std::uint32_t leader : joined) ++sizes[leader];
  std::vector<Ids> balls(leader_count);
  for (std::size_t l = 0; l < leader_count; ++l) balls[l].reserve(sizes[l]);
  for (std::size_t i = 0; i < ids.size(); ++i)
    for (std::uint32_t j = 0; j < fanout; ++j) balls[joined[i * fanout + j]].push_back(ids[i]);
  return balls;
}

std::uint32_t fanout_at(const CarveOptions& options, std::uint32_t level, std::size_t leaders) {
  const std::uint32_t wanted = level < options.fanouts.size() ? options.fanouts[level] : 1;
  return static_cast<std::uint32_t>(std::min({std::size_t{wanted}, leaders, kFanoutMax}));
}

void cut_randomly(Ids ids, const CarveOptions& options, std::uint64_t path,
                  const std::function<void(const Ids&)>& visit) {
  math::Rng rng(mix_seed(path, 0x5f1e));
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[rng.below(i)]);
  const std::size_t pieces = (ids.size() + options.leaf_max - 1) / options.leaf_max;
  for (std::size_t p = 0; p < pieces; ++p) {
    Ids piece(ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * p / pieces),
              ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * (p + 1) / pieces));
    std::sort(piece.begin(), piece.end());
    if (piece.size() >= 2) visit(piece);
  }
}

}  // namespace

std::uint64_t mix_seed(std::uint64_t a, std::uint64_t b) {
  math::Rng rng(a ^ (b * 0x9e3779b97f4a7c15ULL));
  rng.next();
  return rng.next();
}

// Balls of a level that is carved again are drawn eight leaves large: were they leaves already,
// the next level would not be reached and a vector would join too few.
std::size_t leader_count(const CarveOptions& options, std::size_t size, std::uint32_t level) {
  const std::size_t fanout = level < options.fanouts.size() ? options.fanouts[level] : 1;
  const bool carved_again = level + 1 < options.fanouts.size();
  const std::size_t ball = options.leaf_target * (carved_again ? 8U : 1U);
  const std::size_t least = carved_again ? 4 * fanout : std::max<std::size_t>(2, fanout);
  return std::clamp<std::size_t>(size * fanout / ball, least, options.leaders_max);
}

Ids draw_leaders(std::span<const std::uint32_t> ids, std::size_t count, std::uint64_t seed) {
  math::Rng rng(seed);
  Ids leaders;
  leaders.reserve(count);
  // Selection sampling (Knuth, TAOCP 3.4.2, Algorithm S): ascending and distinct.
  for (std::size_t i = 0; i < ids.size() && leaders.size() < count; ++i)
    if (rng.below(ids.size() - i) < count - leaders.size()) leaders.push_back(ids[i]);
  return leaders;
}

std::vector<Ids> carve_once(const VectorBatch& vectors, std::span<const std::uint32_t> ids,
                            std::span<const std::uint32_t> leaders, std::uint32_t fanout,
                            CarveScratch& scratch) {
  scratch.leaders.pack(vectors, leaders);
  std::vector<std::uint32_t> joined(ids.size() * fanout);
  join_leaders(vectors, ids, scratch.leaders, fanout, scratch.rows, scratch.distances,
               joined.data());
  return gather_balls(ids, leaders.size(), fanout, joined);
}

void carve(const VectorBatch& vectors, Ids ids, const CarveOptions& options, std::uint32_t level,
           std::uint64_t path, CarveScratch& scratch,
           const std::function<void(const Ids&)>& visit) {
  if (ids.size() <= options.leaf_max) {
    if (ids.size() >= 2) visit(ids);
    return;
  }
  const Ids leaders =
      draw_leaders(ids, leader_count(options, ids.size(), level), mix_seed(options.seed, path));
  const std::uint32_t fanout = fanout_at(options, level, leaders.size());
  std::vector<Ids> balls = carve_once(vectors, ids, leaders, fanout, scratch);
  const std::size_t limit = ids.size() - ids.size() / 5;
  ids = {};
  for (std::size_t b = 0; b < balls.size(); ++b) {
    const std::uint64_t child = mix_seed(path, b + 1);
    if (balls[b].size() > limit && balls[b].size() > options.leaf_max)
      cut_randomly(std::move(balls[b]), options, child, visit);
    else
      carve(vectors, std::move(balls[b]), options, level + 1, child, scratch, visit);
    balls[b] = {};
  }
}

std::vector<Ids> carve_top(const VectorBatch& vectors, const CarveOptions& options,
                           const Workers& workers) {
  Ids all(vectors.count);
  std::iota(all.begin(), all.end(), 0u);
  if (all.size() <= options.leaf_max) return {all};
  const Ids leaders = draw_leaders(all, leader_count(options, all.size(), 0), options.seed);
  const std::uint32_t fanout = fanout_at(options, 0, leaders.size());
  math::TileSet packed;
  packed.pack(vectors, leaders);
  std::vector<std::uint32_t> joined(all.size() * fanout);
  std::vector<CarveScratch> scratch(workers.threads());
  workers.each(all.size(), kTopChunk, [&](std::size_t begin, std::size_t end, std::uint32_t w) {
    join_leaders(vectors, std::span(all).subspan(begin, end - begin), packed, fanout,
                 scratch[w].rows, scratch[w].distances, joined.data() + begin * fanout);
  });
  return gather_balls(all, leaders.size(), fanout, joined);
}

std::vector<std::uint32_t> tour(const math::TileSet& set) {
  const std::size_t ld = math::tile_ld(set.count());
  std::vector<float> row(ld);
  std::vector<std::uint32_t> order{0};
  std::vector<bool> visited(set.count());
  visited[0] = true;
  while (order.size() < set.count()) {
    math::tile_l2(set, order.back(), 1, set, row.data(), ld);
    for (std::size_t i = 0; i < set.count(); ++i)
      if (visited[i]) row[i] = std::numeric_limits<float>::infinity();
    std::size_t next = math::argmin(row.data(), set.count());
    if (visited[next])  // every remaining distance is infinite: take the first left
      next = static_cast<std::size_t>(std::find(visited.begin(), visited.end(), false) -
                                      visited.begin());
    visited[next] = true;
    order.push_back(static_cast<std::uint32_t>(next));
  }
  return order;
}

}  // namespace cairn::build
