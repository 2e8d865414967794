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
  for (const std::uint32_t b : tour(scratch.leaders)) {
    if (balls[b].size() > limit)
      out.insert(out.end(), balls[b].begin(), balls[b].end());
    else
      append_cells(vectors, std::move(balls[b]), options, mix_seed(path, b + 1), scratch, out);
    balls[b] = {};
  }
}

/// Greedy fill of one window of the tour.
class WindowPacker {
 public:
  WindowPacker(const CandidateRows& rows, const std::vector<std::uint32_t>& rank,
               std::span<std::uint32_t> window, std::size_t first_rank)
      : rows_(rows),
        rank_(rank),
        window_(window),
        first_(first_rank),
        begins_(window.size() + 1),
        gain_(window.size()),
        placed_(window.size()) {
    reverse_edges();
  }

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
    for (const std::uint32_t to : rows_.ids(node)) touch(local_of(to));
    for (std::uint32_t e = begins_[local]; e < begins_[local + 1]; ++e) touch(sources_[e]);
  }
  /// Place of a node in the window; beyond it when it stands elsewhere.
  std::size_t local_of(std::uint32_t node) const {
    if (node >= rank_.size()) return window_.size();
    return std::size_t{rank_[node]} - first_;  // wraps far off when before
  }
  /// In-edges from within the window, by target.
  void reverse_edges() {
    const auto each = [&](const auto& visit) {
      for (std::size_t i = 0; i < window_.size(); ++i)
        for (const std::uint32_t to : rows_.ids(window_[i]))
          if (const std::size_t local = local_of(to); local < window_.size()) visit(i, local);
    };
    each([&](std::size_t, std::size_t to) { ++begins_[to + 1]; });
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    sources_.resize(begins_.back());
    std::vector<std::uint32_t> at(begins_.begin(), begins_.end() - 1);
    each([&](std::size_t from, std::size_t to) {
      sources_[at[to]++] = static_cast<std::uint32_t>(from);
    });
  }
  void touch(std::size_t local) {
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

  const CandidateRows& rows_;
  const std::vector<std::uint32_t>& rank_;
  std::span<std::uint32_t> window_;
  std::size_t first_;
  std::vector<std::uint32_t> begins_, sources_;
  std::vector<std::uint32_t> gain_, touched_;
  std::vector<bool> placed_;
};

}  // namespace

std::vector<std::uint32_t> locality_order(const VectorBatch& vectors, const CandidateRows& rows,
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
    math::TileSet packed;
    packed.pack(vectors, leaders);
    std::vector<Ids> sorted;
    for (const std::uint32_t b : tour(packed)) sorted.push_back(std::move(parts[b]));
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
  const std::size_t window = std::max<std::size_t>(1, kWindow / group) * group;
  workers.each((order.size() + window - 1) / window, 1,
               [&](std::size_t i, std::size_t, std::uint32_t) {
                 const std::size_t begin = i * window;
                 const std::size_t size = std::min(window, order.size() - begin);
                 WindowPacker(rows, rank, std::span(order).subspan(begin, size), begin).pack(group);
               });
  return order;
}

}  // namespace cairn::build
