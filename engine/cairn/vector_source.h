// Where a bulk build reads its vectors from: ranges of rows, which may be read more than once.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cairn {

/// In place of an edge that is not there.
inline constexpr std::uint32_t kNoRow = 0xffff'ffffu;

/// Rows [0, count()) of one dimension and element type. Used by one thread at a time. Rows are
/// mostly read in order; a build that goes on after an interruption begins at any row.
class VectorSource {
 public:
  virtual ~VectorSource() = default;
  virtual std::uint32_t dim() const = 0;
  virtual DType dtype() const = 0;
  virtual std::uint64_t count() const = 0;
  /// Whether rows carry labels; otherwise a vector's label is its row.
  virtual bool labelled() const { return false; }

  /// Fills `rows` with vectors [first, first + n), n * dim elements, and `labels` with their n
  /// labels when labelled() (else `labels` is empty). The same range gives the same bytes for as
  /// long as stamp() is the same.
  virtual Status read(std::uint64_t first, std::span<std::byte> rows, std::span<Label> labels) = 0;

  /// Most out-edges of a row in a graph that comes with the vectors; 0: none does. It is used where
  /// BuildOptions::keep_edges says so.
  virtual std::uint32_t edges_max() const { return 0; }

  /// Fills `edges` with the out-edges of rows [first, first + n): n * edges_max() rows, those of
  /// each row from the front and kNoRow behind them; and `starts`, n, with 1 for rows that are good
  /// to begin a search from, else 0. As read() otherwise.
  virtual Status read_edges(std::uint64_t first, std::span<std::uint32_t> edges,
                            std::span<std::uint8_t> starts) {
    static_cast<void>(edges);
    static_cast<void>(starts);
    return fail(ErrorCode::unsupported,
                "read edges from " + row_name(first) + " of vectors that come without");
  }

  /// Cheap to ask; another value when the vectors may have changed (sizes and times of files, say).
  /// A build that goes on reads everything again and compares when it is not what it was.
  virtual std::uint64_t stamp() const = 0;

  /// How errors name a row.
  virtual std::string row_name(std::uint64_t row) const { return "row " + std::to_string(row); }
};

}  // namespace cairn
