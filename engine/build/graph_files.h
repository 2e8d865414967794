// The lists of all slots between the joining of partitions and the writing of the index: one
// temporary file a cell, in the form that navigation has on disk (layout/streams.h), chunk by
// chunk. A chunk is read whole, by slot order; its rows are decoded one at a time.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/build/cell_files.h"
#include "engine/build/graph.h"
#include "engine/build/temp_files.h"
#include "engine/workers.h"
#include "layout/node_block.h"

namespace cairn::build {

/// Where the slots of cells stand: cell after cell, each from the start of a block.
class SlotPlan {
 public:
  SlotPlan() = default;
  SlotPlan(std::span<const LinkedCell> cells, const layout::BlockShape& shape);
  std::uint32_t cells() const { return static_cast<std::uint32_t>(slots_.size()); }
  std::uint64_t begin(std::uint32_t cell) const { return begins_[cell]; }
  /// Those that hold a vector are the first of the cell.
  std::uint64_t slots(std::uint32_t cell) const { return slots_[cell]; }
  /// Empty places included.
  std::uint64_t places(std::uint32_t cell) const { return begins_[cell + 1] - begins_[cell]; }
  std::uint64_t total() const { return begins_.back(); }
  std::uint32_t cell_of(std::uint64_t slot) const;
  bool holds_vector(std::uint64_t slot) const {
    const std::uint32_t cell = cell_of(slot);
    return slot - begins_[cell] < slots_[cell];
  }

 private:
  std::vector<std::uint64_t> begins_{0}, slots_;
};

/// Lists of consecutive slots, whole blocks.
struct ListShape {
  std::uint32_t degree_max = 0;
  std::uint32_t bits = 0;         // of a slot number
  std::uint32_t chunk_slots = 0;  // a multiple of the slots of a block
  std::uint32_t slices() const;
  /// Of `count` slots: degrees as u16, pinned edges as u8, then slices.
  std::uint64_t chunk_bytes(std::uint64_t count) const;
  std::uint64_t slice_at(std::uint64_t count, std::uint32_t slice) const;
  /// Chunks whose blocks take 16 MiB at most.
  static ListShape of(std::uint32_t degree_max, std::uint64_t total_slots,
                      const layout::BlockShape& shape);
};

class ListChunk {
 public:
  ListChunk(const ListShape& shape, std::uint64_t first_slot, std::uint32_t count,
            std::vector<std::byte> bytes)
      : shape_(shape), first_slot_(first_slot), count_(count), bytes_(std::move(bytes)) {}
  static std::vector<std::byte> encode(const ListShape& shape, const Graph& graph,
                                       const Workers& workers);

  std::uint64_t first_slot() const { return first_slot_; }
  std::uint32_t count() const { return count_; }
  std::uint32_t degree_max() const { return shape_.degree_max; }
  /// Rows [begin, begin + count) of the chunk.
  Graph rows(std::uint32_t begin, std::uint32_t count) const;
  /// Decodes the edges of one row into `out` (room for degree_max); returns how many.
  std::uint32_t row(std::uint32_t i, std::uint32_t* out) const;
  /// Rows that replace() put in place, by row of the chunk.
  std::map<std::uint32_t, std::vector<std::uint32_t>> replaced() const;
  /// Puts other rows in the place of [begin, begin + graph.count()).
  void replace(std::uint32_t begin, const Graph& graph);

 private:
  std::uint16_t degree(std::uint32_t i) const;
  std::uint16_t pinned(std::uint32_t i) const;

  ListShape shape_;
  std::uint64_t first_slot_;
  std::uint32_t count_;
  std::vector<std::byte> bytes_;
  struct Replaced {
    std::vector<std::uint32_t> edges;
    std::uint16_t pinned = 0;
  };
  std::map<std::uint32_t, Replaced> replaced_;
};

/// Lists of all slots, a chunk at a time.
class ListStore {
 public:
  virtual ~ListStore() = default;
  virtual const ListShape& shape() const = 0;
  virtual std::uint32_t chunks() const = 0;
  virtual std::uint32_t chunk_of(std::uint64_t slot) const = 0;
  virtual Result<ListChunk> read(std::uint32_t chunk) const = 0;
};

/// Those of the files of cells: "graph-C".
class GraphFiles final : public ListStore {
 public:
  GraphFiles(const TempFiles& temp, const SlotPlan& plan, const ListShape& shape);
  const ListShape& shape() const override { return shape_; }
  std::uint32_t chunks() const override { return static_cast<std::uint32_t>(chunks_.size()); }
  std::uint32_t chunk_of(std::uint64_t slot) const override;
  Result<ListChunk> read(std::uint32_t chunk) const override;
  /// Chunks of a cell: [first, last).
  std::pair<std::uint32_t, std::uint32_t> chunks_of(std::uint32_t cell) const {
    return {cell_chunks_[cell], cell_chunks_[cell + 1]};
  }
  std::uint64_t first_slot(std::uint32_t chunk) const { return chunks_[chunk].first_slot; }
  std::uint32_t count(std::uint32_t chunk) const { return chunks_[chunk].count; }
  /// Only the rows of one slice of a chunk.
  Status read_slice(std::uint32_t chunk, std::uint32_t slice, std::vector<std::byte>& rows) const;

  static std::string name(std::uint32_t cell) { return TempFiles::name("graph", cell); }

 private:
  struct Chunk {
    std::uint32_t cell, count;
    std::uint64_t first_slot, at;
  };
  Result<TempReader> open(std::uint32_t cell) const;

  const TempFiles& temp_;
  const SlotPlan& plan_;
  ListShape shape_;
  std::vector<Chunk> chunks_;
  std::vector<std::uint32_t> cell_chunks_{0};
  std::vector<std::uint64_t> file_bytes_;
};

}  // namespace cairn::build
