#include "engine/build/graph.h"

#include <algorithm>

namespace cairn::build {

bool Graph::pin_edge(std::size_t from, std::uint32_t to) {
  std::uint32_t* list = edges.data() + from * degree_max;
  const std::uint16_t pins = pinned[from];
  std::uint32_t* const end = list + degree[from];
  std::uint32_t* at = std::find(list, end, to);
  if (at < list + pins) return true;
  if (at == end) {
    if (pins == degree_max) return false;
    if (degree[from] < degree_max) ++degree[from];
    at = list + degree[from] - 1;
    *at = to;
  }
  std::rotate(list + pins, at, at + 1);
  ++pinned[from];
  return true;
}

}  // namespace cairn::build
