// One partition in memory: its core vectors and the second copies of others, each distinct vector
// once, in the build space.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <vector>

#include "engine/build/growing_bytes.h"
#include "engine/build/scatter.h"

namespace cairn::build {

struct Duplicate {
  std::uint32_t of;   // index of a core member
  std::uint32_t row;  // of the input
  friend auto operator<=>(const Duplicate&, const Duplicate&) = default;
};

/// Members [0, cores) are core vectors, the others second copies. Equal means equal bytes; a member
/// is the first row of its value, and equal vectors of all the input have the same cells.
struct Members {
  GrowingBytes bytes;
  VectorBatch vectors;               // of the build space
  std::vector<std::uint32_t> rows;   // by member, ascending in each part
  std::vector<std::uint32_t> other;  // by member: cell of the second copy, or owner
  std::uint32_t cores = 0;
  std::vector<Duplicate> duplicates;  // of core vectors, ascending by (of, row)
  /// Where a graph is kept: of each core member RecordShape::link_words() words, its own edges
  /// before those of its duplicates.
  std::vector<std::uint32_t> links;

  VectorBatch core_vectors() const { return {vectors.data, cores, vectors.dim, vectors.dtype}; }
};

/// At most members_max, duplicates counted by their memory: second copies beyond are left out; of
/// core vectors a quarter more is over_limit. (row bytes + 24) bytes a member and up to 29 a
/// duplicate of RAM. O(records).
Result<Members> load_members(const Job& job, const Scattered& scattered, std::uint32_t cell,
                             std::uint64_t members_max);

/// The core vectors alone, without links.
Result<Members> load_cores(const Job& job, const Scattered& scattered, std::uint32_t cell);

}  // namespace cairn::build
