#include "engine/build/pack.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "engine/build/space.h"
#include "layout/page.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kBlockBytesUsual = 16384;  // larger only where one row needs it
// A read costs its 4 KiB units whether their vectors serve or not: on 500k SIFT 33 vectors in 8 KiB
// cost more units a query than 16 in 4 KiB, so a larger block must save much to be chosen.
constexpr double kWasteAccepted = 1.30;
constexpr std::uint64_t kListsSampled = 65536;
// Of a duplicate: to the next of its chain and to its representative. Where that fits in the mean,
// pinned edges fit every block.
constexpr double kPinnedBytesMax = 2 * 5;

/// Most slots of `block_bytes` at this mean; 0 when not even one fits.
layout::BlockShape shape_of(std::uint32_t block_bytes, std::uint32_t row_bytes, bool has_norms,
                            double mean) {
  layout::BlockShape shape{
      .block_bytes = block_bytes, .slots = 0, .row_bytes = row_bytes, .has_norms = has_norms};
  for (std::uint32_t slots = 1; slots <= layout::kSlotsPerBlockMax; ++slots) {
    layout::BlockShape more = shape;
    more.slots = slots;
    if (!more.valid() || more.adjacency_capacity() < mean * slots) break;
    shape = more;
  }
  return shape;
}

/// Encoded bytes of a list in any order; `sorted` is scratch.
std::size_t list_bytes(std::size_t owner, std::span<const std::uint32_t> list,
                       std::vector<std::uint32_t>& sorted) {
  sorted.assign(list.begin(), list.end());
  std::sort(sorted.begin(), sorted.end());
  return layout::adjacency_bytes(static_cast<std::uint32_t>(owner), sorted);
}

std::size_t end_of_block(const Graph& graph, const layout::BlockShape& shape,
                         std::size_t first_row) {
  return std::min(graph.count(), first_row + shape.slots);
}

}  // namespace

layout::BlockShape choose_shape(std::uint32_t row_bytes, bool has_norms,
                                double adjacency_bytes_mean) {
  constexpr std::uint32_t kStep = layout::kPageBytes;
  std::vector<layout::BlockShape> shapes;
  for (std::uint32_t bytes = kStep; bytes <= layout::kBlockBytesMax; bytes += kStep) {
    if (bytes > kBlockBytesUsual && !shapes.empty()) break;
    const layout::BlockShape shape = shape_of(bytes, row_bytes, has_norms, adjacency_bytes_mean);
    if (shape.slots != 0) shapes.push_back(shape);
  }
  const auto bytes_a_vector = [](const layout::BlockShape& shape) {
    return static_cast<double>(shape.block_bytes) / shape.slots;
  };
  double best = bytes_a_vector(shapes.front());
  for (const layout::BlockShape& shape : shapes) best = std::min(best, bytes_a_vector(shape));
  return *std::find_if(shapes.begin(), shapes.end(), [&](const layout::BlockShape& shape) {
    return bytes_a_vector(shape) <= best * kWasteAccepted;
  });
}

double mean_adjacency_bytes(
    std::uint64_t count, std::uint64_t seed,
    const std::function<std::uint32_t(std::uint32_t, std::vector<std::uint32_t>&)>& list) {
  const auto lists = draw_sample(count, kListsSampled, seed);
  std::vector<std::uint32_t> targets, sorted;
  std::uint64_t bytes = 0;
  for (const std::uint32_t i : lists) {
    targets.clear();
    const std::uint32_t owner = list(i, targets);
    bytes += list_bytes(owner, targets, sorted);
  }
  return std::max(kPinnedBytesMax, static_cast<double>(bytes) / static_cast<double>(lists.size()));
}

std::size_t pinned_bytes(const Graph& graph, const layout::BlockShape& shape,
                         std::size_t first_row) {
  std::vector<std::uint32_t> sorted;
  std::size_t bytes = 0;
  for (std::size_t s = first_row; s < end_of_block(graph, shape, first_row); ++s)
    if (graph.pinned[s] != 0)
      bytes += list_bytes(graph.first_slot + s, graph.row(s).first(graph.pinned[s]), sorted);
  return bytes;
}

std::uint64_t fit_block(Graph& graph, const layout::BlockShape& shape, std::size_t first_row) {
  const std::size_t end = end_of_block(graph, shape, first_row);
  std::array<std::size_t, layout::kSlotsPerBlockMax> bytes{};
  std::vector<std::uint32_t> sorted;
  std::size_t total = 0;
  for (std::size_t s = first_row; s < end; ++s)
    total += bytes[s - first_row] = list_bytes(graph.first_slot + s, graph.row(s), sorted);
  std::uint64_t dropped = 0;
  while (total > shape.adjacency_capacity()) {
    std::size_t longest = end;
    for (std::size_t s = first_row; s < end; ++s)
      if (graph.degree[s] > graph.pinned[s] &&
          (longest == end || graph.degree[s] > graph.degree[longest]))
        longest = s;
    if (longest == end) break;
    --graph.degree[longest];
    ++dropped;
    std::size_t& size = bytes[longest - first_row];
    total -= size;
    total += size = list_bytes(graph.first_slot + longest, graph.row(longest), sorted);
  }
  return dropped;
}

std::uint64_t fit_blocks(Graph& graph, const layout::BlockShape& shape, const Workers& workers) {
  const std::size_t blocks = (graph.count() + shape.slots - 1) / shape.slots;
  std::atomic<std::uint64_t> dropped{0};
  workers.each(blocks, 64, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t b = begin; b < end; ++b) dropped += fit_block(graph, shape, b * shape.slots);
  });
  return dropped;
}

}  // namespace cairn::build
