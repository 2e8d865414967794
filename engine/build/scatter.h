// From the input to partitions: the second pass over the input writes every vector to the cell it
// is nearest to and, near a border, to the next one too.
//
// A unit of work is a range of rows. It leaves two files for each group of neighbouring cells, one
// of core vectors and one of second copies, with the records of a cell next to each other: a cell
// is read from one place of each unit, and a group goes as soon as its last cell is done.
#pragma once

#include <cairn/result.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/build/cells.h"
#include "engine/build/job.h"

namespace cairn::build {

enum class Copy : std::uint8_t { core, second };

/// A record: the row as u32, `other` as u32 (of a core vector the cell of its second copy or
/// kNoCell; of a second copy the owner), for core vectors of labelled input the label as u64, the
/// raw vector; where a graph is kept, whether searches should begin here as u32 and the edges.
class RecordShape {
 public:
  RecordShape(std::size_t vector_bytes, bool labelled, std::uint32_t kept_edges)
      : vector_bytes_(vector_bytes),
        link_words_(kept_edges == 0 ? 0 : kept_edges + std::size_t{1}),
        labelled_(labelled) {}
  std::size_t bytes(Copy copy) const {
    return vector_at(copy) + vector_bytes_ + (copy == Copy::core ? link_words_ * 4 : 0);
  }
  /// Of a core record: 1 or 0, then edges as VectorSource gives them; empty where none are kept.
  std::size_t link_words() const { return link_words_; }
  const std::byte* links(const std::byte* record) const {
    return record + vector_at(Copy::core) + vector_bytes_;
  }
  std::size_t vector_at(Copy copy) const { return copy == Copy::core && labelled_ ? 16 : 8; }
  void put(Copy copy, std::byte* at, std::uint32_t row, std::uint32_t other, Label label,
           const std::byte* vector) const;
  static std::uint32_t row(const std::byte* record);
  static std::uint32_t other(const std::byte* record);
  /// Of a core record; its row where the input has no labels.
  Label label(const std::byte* record) const;
  const std::byte* vector(Copy copy, const std::byte* record) const {
    return record + vector_at(copy);
  }

 private:
  std::size_t vector_bytes_, link_words_;
  bool labelled_;
};

/// Files of each kind that a unit leaves.
std::uint32_t scatter_groups(std::uint32_t cells);

/// What the scatter left, by cell.
class Scattered {
 public:
  Scattered(const Job& job, std::uint32_t cells, std::uint64_t unit_rows);

  std::uint32_t cells() const { return cells_; }
  std::uint64_t units() const { return units_; }
  std::uint64_t unit_rows() const { return unit_rows_; }
  const RecordShape& shape() const { return shape_; }
  /// Records of a cell in all units; call when all are in the journal.
  std::uint64_t count(Copy copy, std::uint32_t cell) const;

  using Visit = std::function<void(std::span<const std::byte> records)>;
  /// Hands out whole records of a cell, ascending by row.
  Status read(Copy copy, std::uint32_t cell, const Visit& visit) const;
  /// Called when no unit needs records of cells up to `cell` any more: removes what is over.
  Status release(Copy copy, std::uint32_t cell) const;

 private:
  class Reader;
  friend class ScatterUnit;
  std::uint32_t groups() const { return scatter_groups(cells_); }
  std::uint32_t group_of(std::uint32_t cell) const;
  std::uint32_t group_begin(std::uint32_t group) const;
  std::string file(Copy copy, std::uint64_t unit, std::uint32_t group) const;
  /// counts[copy * cells + cell] of one unit.
  std::span<const std::uint64_t> counts(std::uint64_t unit) const;

  const Job& job_;
  std::uint32_t cells_;
  std::uint64_t unit_rows_, units_;
  RecordShape shape_;
};

/// Runs the units that the journal does not have. `digests`: of take_sample.
Status scatter(const Job& job, VectorSource& source, const Cells& cells,
               std::span<const std::uint64_t> digests, const Scattered& scattered);

}  // namespace cairn::build
