#include "engine/build/graph_files.h"

#include <algorithm>
#include <cstring>

#include "layout/streams.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kChunkSlots = 16384;
constexpr std::uint32_t kChunkBytes = 16U << 20;  // of its blocks
constexpr std::size_t kRowsPerTask = 1024;

}  // namespace

SlotPlan::SlotPlan(std::span<const LinkedCell> cells, const layout::BlockShape& shape) {
  for (const LinkedCell& cell : cells) {
    slots_.push_back(cell.slots());
    const std::uint64_t blocks = (cell.slots() + shape.slots - 1) / shape.slots;
    begins_.push_back(begins_.back() + blocks * shape.slots);
  }
}

std::uint32_t SlotPlan::cell_of(std::uint64_t slot) const {
  // The last cell that begins at or before it: those without slots begin where the next does.
  const auto after = std::upper_bound(begins_.begin(), begins_.end() - 1, slot);
  return static_cast<std::uint32_t>(after - begins_.begin()) - 1;
}

std::uint32_t ListShape::slices() const {
  return (degree_max + layout::kNavEdgesPerSlice - 1) / layout::kNavEdgesPerSlice;
}

std::uint64_t ListShape::slice_at(std::uint64_t count, std::uint32_t slice) const {
  return count * (3 + std::uint64_t{slice} * bits);
}

std::uint64_t ListShape::chunk_bytes(std::uint64_t count) const {
  return slice_at(count, slices());
}

ListShape ListShape::of(std::uint32_t degree_max, std::uint64_t total_slots,
                        const layout::BlockShape& shape) {
  const std::uint32_t blocks =
      std::clamp(kChunkBytes / shape.block_bytes, 1U, std::max(1U, kChunkSlots / shape.slots));
  return {.degree_max = degree_max,
          .bits = layout::nav_bits(total_slots),
          .chunk_slots = blocks * shape.slots};
}

// ---- one chunk

std::vector<std::byte> ListChunk::encode(const ListShape& shape, const Graph& graph,
                                         const Workers& workers) {
  const std::size_t count = graph.count();
  std::vector<std::byte> bytes(shape.chunk_bytes(count));
  std::memcpy(bytes.data(), graph.degree.data(), count * 2);
  workers.each(count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
    for (std::size_t i = begin; i < end; ++i) {
      bytes[count * 2 + i] = static_cast<std::byte>(graph.pinned[i]);
      const auto list = graph.row(i);
      for (std::uint32_t s = 0; s < shape.slices(); ++s) {
        const std::size_t from = std::min<std::size_t>(list.size(), s * layout::kNavEdgesPerSlice);
        const std::size_t edges =
            std::min<std::size_t>(list.size() - from, layout::kNavEdgesPerSlice);
        layout::nav_encode(
            list.subspan(from, edges), shape.bits,
            std::span(bytes).subspan(shape.slice_at(count, s) + i * shape.bits, shape.bits));
      }
    }
  });
  return bytes;
}

std::uint16_t ListChunk::degree(std::uint32_t i) const {
  std::uint16_t degree;
  std::memcpy(&degree, bytes_.data() + std::size_t{i} * 2, sizeof degree);
  return degree;
}

std::uint16_t ListChunk::pinned(std::uint32_t i) const {
  const auto found = replaced_.find(i);
  return found != replaced_.end() ? found->second.pinned
                                  : static_cast<std::uint16_t>(bytes_[std::size_t{count_} * 2 + i]);
}

std::uint32_t ListChunk::row(std::uint32_t i, std::uint32_t* out) const {
  if (const auto found = replaced_.find(i); found != replaced_.end()) {
    const auto& edges = found->second.edges;
    std::copy(edges.begin(), edges.end(), out);
    return static_cast<std::uint32_t>(edges.size());
  }
  const std::uint32_t edges = degree(i);
  for (std::uint32_t e = 0; e < edges; ++e) {
    const std::byte* row = bytes_.data() + shape_.slice_at(count_, e / layout::kNavEdgesPerSlice) +
                           std::size_t{i} * shape_.bits;
    out[e] = layout::nav_edge(row, shape_.bits, e % layout::kNavEdgesPerSlice);
  }
  return edges;
}

Graph ListChunk::rows(std::uint32_t begin, std::uint32_t count) const {
  Graph graph(count, shape_.degree_max);
  graph.first_slot = first_slot_ + begin;
  for (std::uint32_t i = 0; i < count; ++i) {
    graph.degree[i] = static_cast<std::uint16_t>(
        row(begin + i, graph.edges.data() + std::size_t{i} * shape_.degree_max));
    graph.pinned[i] = pinned(begin + i);
  }
  return graph;
}

std::map<std::uint32_t, std::vector<std::uint32_t>> ListChunk::replaced() const {
  std::map<std::uint32_t, std::vector<std::uint32_t>> rows;
  for (const auto& [i, row] : replaced_) rows[i] = row.edges;
  return rows;
}

void ListChunk::replace(std::uint32_t begin, const Graph& graph) {
  for (std::uint32_t i = 0; i < graph.count(); ++i) {
    const auto list = graph.row(i);
    replaced_[begin + i] = {{list.begin(), list.end()}, graph.pinned[i]};
  }
}

// ---- files

GraphFiles::GraphFiles(const TempFiles& temp, const SlotPlan& plan, const ListShape& shape)
    : temp_(temp), plan_(plan), shape_(shape) {
  for (std::uint32_t cell = 0; cell < plan.cells(); ++cell) {
    std::uint64_t at = 0;
    for (std::uint64_t slot = 0; slot < plan.places(cell); slot += shape.chunk_slots) {
      const auto count = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(shape.chunk_slots, plan.places(cell) - slot));
      chunks_.push_back({cell, count, plan.begin(cell) + slot, at});
      at += shape.chunk_bytes(count);
    }
    cell_chunks_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    file_bytes_.push_back(at);
  }
}

std::uint32_t GraphFiles::chunk_of(std::uint64_t slot) const {
  const std::uint32_t cell = plan_.cell_of(slot);
  return cell_chunks_[cell] +
         static_cast<std::uint32_t>((slot - plan_.begin(cell)) / shape_.chunk_slots);
}

Result<TempReader> GraphFiles::open(std::uint32_t cell) const {
  return temp_.open(name(cell), file_bytes_[cell]);
}

Result<ListChunk> GraphFiles::read(std::uint32_t number) const {
  const Chunk& chunk = chunks_[number];
  CAIRN_ASSIGN(auto file, open(chunk.cell));
  std::vector<std::byte> bytes(shape_.chunk_bytes(chunk.count) + layout::kNavPadBytes);
  CAIRN_TRY(file.read(chunk.at, std::span(bytes).first(bytes.size() - layout::kNavPadBytes)));
  return ListChunk(shape_, chunk.first_slot, chunk.count, std::move(bytes));
}

Status GraphFiles::read_slice(std::uint32_t number, std::uint32_t slice,
                              std::vector<std::byte>& rows) const {
  const Chunk& chunk = chunks_[number];
  CAIRN_ASSIGN(auto file, open(chunk.cell));
  rows.resize(std::size_t{chunk.count} * shape_.bits);
  return file.read(chunk.at + shape_.slice_at(chunk.count, slice), rows);
}

}  // namespace cairn::build
