// The graph under construction: bounded out-edge lists in order of usefulness. The first
// `pinned[i]` edges of a node (duplicate chains, repair) may never be dropped; what follows may be,
// from the back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cairn::build {

struct Graph {
  std::uint64_t first_slot = 0;  // of row 0; rows follow slot by slot
  std::uint32_t degree_max = 0;
  std::vector<std::uint32_t> edges;   // count x degree_max; row i uses its first degree[i] places
  std::vector<std::uint16_t> degree;  // count
  std::vector<std::uint16_t> pinned;  // count; pinned[i] <= degree[i]

  Graph() = default;
  Graph(std::size_t count, std::uint32_t degree_max_)
      : degree_max(degree_max_), edges(count * degree_max_), degree(count), pinned(count) {}

  std::size_t count() const { return degree.size(); }
  std::span<std::uint32_t> row(std::size_t i) { return {edges.data() + i * degree_max, degree[i]}; }
  std::span<const std::uint32_t> row(std::size_t i) const {
    return {edges.data() + i * degree_max, degree[i]};
  }
  bool has_edge(std::size_t from, std::uint32_t to) const {
    for (std::uint32_t e : row(from))
      if (e == to) return true;
    return false;
  }
  /// Puts `to` behind the pinned edges of `from` and pins it; the last edge falls off when the
  /// list is full. False when every place is pinned already.
  bool pin_edge(std::size_t from, std::uint32_t to);
};

}  // namespace cairn::build
