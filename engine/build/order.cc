// The order of nodes on disk. First a tour through the cells of a carving without overlap, then
// within windows of it a greedy fill: a group starts at the first unplaced node and takes, again
// and again, the unplaced node with the most edges to and from the group (block shuffling as in
// Starling, arXiv 2401.02116, section 4.1, confined to a window so that it is local and parallel).
#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/build/carve.h"
#include "engine/build/pipnn.h"
#include "engine/math/topk.h"

namespace cairn::build {
namespace {

constexpr std::size_t kWindow = 1u << 16;  // ranks within which a group may gather its members

/// Chains the leaders so that neighbours in the tour are near each other: nearest unvisited next.
std::vector<std::uint32_t> tour(const VectorBatch& vectors,
                                std::span<const std::uint32_t> leaders) {
  math::TileSet set;
  set.pack(vectors, leaders);
  const std::size_t ld = math::tile_ld(leaders.size());
  std::vector<float> row(ld);
  std::vector<std::uint32_t> order{0};
  std::vector<bool> visited(leaders.size());
  visited[0] = true;
  while (order.size() < leaders.size()) {
    math::tile_l2(set, order.back(), 1, set, row.data(), ld);
    for (std::size_t i = 0; i < leaders.size(); ++i)
      if (visited[i]) row[i] = std::numeric_limits<float>::infinity();
    std::size_t next = math::argmin(row.data(), leaders.size());
    if (visited[next])  // every remaining distance is infinite: take the first left
      next = static_cast<std::size_t>(std::find(visited.begin(), visited.end(), false) -
                                      visited.begin());
    visited[next] = true;
    order.push_back(static_cast<std::uint32_t>(next));
  }
  return order;
}

/// Appends the ids of `ids` to `out`, cell by cell along tours, down to cells of a few hundred.
void append_cells(const VectorBatch& vectors, Ids ids, const CarveOptions& options,
                  std::uint64_t path, CarveScratch& scratch, Ids& out) {
  if (ids.size() <= options.leaf_max) {
    out.insert(out.end(), ids.begin(), ids.end());
    return;
  }
  const std::size_t count =
      std::clamp<std::size_t>(ids.size() / options.leaf_target, 2, options.leaders_max);
  const Ids leaders = draw_leaders(ids, count, mix_seed(options.seed, path));
  std::vector<Ids> balls = carve_once(vectors, ids, leaders, 1, scratch);
  const std::size_t limit = ids.size() - ids.size() / 5;
  ids = {};
  for (const std::uint32_t b : tour(vectors, leaders)) {
    if (balls[b].size() > limit)
      out.insert(out.end(), balls[b].begin(), balls[b].end());
    else
      append_cells(vectors, std::move(balls[b]), options, mix_seed(path, b + 1), scratch, out);
    balls[b] = {};
  }
}

struct Reverse {
  std::vector<std::uint64_t> begins;
  std::vector<std::uint32_t> sources;
};

Reverse reverse_edges(const Graph& graph) {
  Reverse reverse;
  reverse.begins.assign(graph.count() + 1, 0);
  for (std::size_t i = 0; i < graph.count(); ++i)
    for (const std::uint32_t to : graph.row(i)) ++reverse.begins[to + 1];
  std::partial_sum(reverse.begins.begin(), reverse.begins.end(), reverse.begins.begin());
  reverse.sources.resize(reverse.begins.back());
  std::vector<std::uint64_t> at(reverse.begins.begin(), reverse.begins.end() - 1);
  for (std::size_t i = 0; i < graph.count(); ++i)
    for (const std::uint32_t to : graph.row(i))
      reverse.sources[at[to]++] = static_cast<std::uint32_t>(i);
  return reverse;
}

/// Greedy fill of one window of the tour.
class WindowPacker {
 public:
  WindowPacker(const Graph& graph, const Reverse& reverse, const std::vector<std::uint32_t>& rank,
               std::span<std::uint32_t> window, std::size_t first_rank)
      : graph_(graph),
        reverse_(reverse),
        rank_(rank),
        window_(window),
        first_(first_rank),
        gain_(window.size()),
        placed_(window.size()) {}

  void pack(std::uint32_t group) {
    std::vector<std::uint32_t> out;
    out.reserve(window_.size());
    std::size_t lowest = 0;
    while (out.size() < window_.size()) {
      while (placed_[lowest]) ++lowest;
      place(lowest, out);
      for (std::uint32_t g = 1; g < group && out.size() < window_.size(); ++g) {
        const std::size_t next = best();
        if (next == window_.size()) break;
        place(next, out);
      }
      fill_group(group, lowest, out);
      for (const std::uint32_t t : touched_) gain_[t] = 0;
      touched_.clear();
    }
    std::copy(out.begin(), out.end(), window_.begin());
  }

 private:
  void place(std::size_t local, std::vector<std::uint32_t>& out) {
    placed_[local] = true;
    const std::uint32_t node = window_[local];
    out.push_back(node);
    for (const std::uint32_t to : graph_.row(node)) touch(to);
    for (std::uint64_t e = reverse_.begins[node]; e < reverse_.begins[node + 1]; ++e)
      touch(reverse_.sources[e]);
  }
  void touch(std::uint32_t node) {
    const std::size_t local = std::size_t{rank_[node]} - first_;  // wraps far off when before
    if (local >= window_.size() || placed_[local]) return;
    if (gain_[local]++ == 0) touched_.push_back(static_cast<std::uint32_t>(local));
  }
  std::size_t best() const {
    std::size_t best = window_.size();
    std::uint32_t best_gain = 0;
    for (const std::uint32_t t : touched_)
      if (!placed_[t] && (gain_[t] > best_gain || (gain_[t] == best_gain && t < best))) {
        best = t;
        best_gain = gain_[t];
      }
    return best;
  }
  /// No edge leads on: complete the group in tour order.
  void fill_group(std::uint32_t group, std::size_t lowest, std::vector<std::uint32_t>& out) {
    while (out.size() % group != 0 && out.size() < window_.size()) {
      while (lowest < window_.size() && placed_[lowest]) ++lowest;
      place(lowest, out);
    }
  }

  const Graph& graph_;
  const Reverse& reverse_;
  const std::vector<std::uint32_t>& rank_;
  std::span<std::uint32_t> window_;
  std::size_t first_;
  std::vector<std::uint32_t> gain_, touched_;
  std::vector<bool> placed_;
};

}  // namespace

std::vector<std::uint32_t> locality_order(const VectorBatch& vectors, const Graph& graph,
                                          std::uint32_t group, const GraphOptions& options,
                                          const Workers& workers) {
  CarveOptions cells;
  cells.leaf_max = 256;
  cells.leaf_target = 128;
  cells.seed = mix_seed(options.seed, 0x0cde);
  std::vector<Ids> parts = carve_top(vectors, cells, workers);
  if (parts.size() > 1) {
    // The same draw that carve_top made: its leaders in order.
    Ids all(vectors.count);
    std::iota(all.begin(), all.end(), 0u);
    const Ids leaders = draw_leaders(all, parts.size(), cells.seed);
    std::vector<Ids> sorted;
    for (const std::uint32_t b : tour(vectors, leaders)) sorted.push_back(std::move(parts[b]));
    parts = std::move(sorted);
  }
  std::vector<CarveScratch> scratch(workers.threads());
  workers.each(parts.size(), 1, [&](std::size_t p, std::size_t, std::uint32_t w) {
    Ids out;
    out.reserve(parts[p].size());
    append_cells(vectors, std::move(parts[p]), cells, mix_seed(cells.seed, p + 1), scratch[w], out);
    parts[p] = std::move(out);
  });
  std::vector<std::uint32_t> order;
  order.reserve(vectors.count);
  for (const Ids& part : parts) order.insert(order.end(), part.begin(), part.end());

  std::vector<std::uint32_t> rank(order.size());
  for (std::size_t r = 0; r < order.size(); ++r) rank[order[r]] = static_cast<std::uint32_t>(r);
  const Reverse reverse = reverse_edges(graph);
  const std::size_t window = std::max<std::size_t>(1, kWindow / group) * group;
  workers.each((order.size() + window - 1) / window, 1,
               [&](std::size_t i, std::size_t, std::uint32_t) {
                 const std::size_t begin = i * window;
                 const std::size_t size = std::min(window, order.size() - begin);
                 WindowPacker(graph, reverse, rank, std::span(order).subspan(begin, size), begin)
                     .pack(group);
               });
  return order;
}

}  // namespace cairn::build
