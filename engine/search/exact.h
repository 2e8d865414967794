// Exact nearest neighbours of many queries by blocked all-pairs distances: base vectors stream
// through once per 64 MiB of queries, blocks of queries meet blocks of base vectors in register
// tiles, and what a tile cannot rule out is measured again by the one definition, math::Scorer.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace cairn::search {

/// A stream of base vectors that can be read again.
class RowStream {
 public:
  virtual ~RowStream() = default;
  virtual DType dtype() const = 0;
  virtual std::uint32_t dim() const = 0;
  /// Most rows that can come.
  virtual std::uint64_t count() const = 0;
  /// Fills `rows`, whole rows, from the front with the next ones; returns how many came: fewer than
  /// there is room for only at the end, then 0.
  virtual Result<std::size_t> read(std::span<std::byte> rows) = 0;
  virtual Status rewind() = 0;
};

struct ExactOptions {
  Metric metric = Metric::l2;
  std::uint32_t k = 100;      // 1..count of the base
  std::uint32_t threads = 1;  // this one included
  /// Called between chunks with the rows done of `queries passes x count`; an error ends the work.
  std::function<Status(std::uint64_t done, std::uint64_t total)> progress;
};

/// Row-major (queries, k): ascending by (distance, id); an id is the position in the stream.
struct ExactNeighbors {
  std::uint32_t k = 0;
  std::vector<std::uint32_t> ids;
  std::vector<float> distances;
};

/// `queries` have the dim and dtype of the base. The result does not depend on threads.
/// invalid_argument, naming the row, for a row of the base that has no distance to order by;
/// queries are checked by the caller (check_rows). over_limit above 2^32 - 1 base vectors.
/// O(queries * count * dim / threads); RAM: queries x (5 x row + 8 x k) + 2 MiB a thread + 16 MiB.
Result<ExactNeighbors> exact_neighbors(RowStream& base, const VectorBatch& queries,
                                       const ExactOptions& options);

/// The first row that has no distance to order by (math::check_row). The error names row
/// `first_row + i` of `file`.
Status check_rows(const VectorBatch& rows, Metric metric, std::uint64_t first_row,
                  std::string_view file);

}  // namespace cairn::search
