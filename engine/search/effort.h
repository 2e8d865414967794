// From a wanted recall to the effort that reaches it, by the curves that were measured on the
// index.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <span>
#include <vector>

#include "layout/calibration.h"

namespace cairn::search {

/// What a search is to spend, and what it is expected to find.
struct Effort {
  std::uint32_t list_size = 0;
  float slack_alone = 0;  // with one block under way at a time
  float slack_wide = 0;   // at the full beam width
  double recall = 0;
  double blocks = 0;  // one at a time
  double blocks_wide = 0;
  double codes = 0;      // one block at a time
  bool edges = false;    // whether edges in RAM are walked: as it was measured
  bool enough = false;   // whether the curves reach what is aimed at, a little above what is asked
  bool reached = false;  // whether the curves say that the recall is reached
  bool least = false;    // less effort was not measured: recall is what it is, or above
  bool least_wide = false;

  /// For `width` of at most `width_max` blocks under way.
  float slack(std::uint32_t width, std::uint32_t width_max) const;
};

class EffortTable {
 public:
  EffortTable() = default;
  /// The curves of what is in RAM, or else of the most that was measured and is no more than that:
  /// the same effort finds a little more then. Beside them those of the same refinement without
  /// edges: a search may leave edges alone, and does where none were measured. `width_max`: of a
  /// lone query.
  EffortTable(const layout::Calibration& calibration, std::uint32_t refine_bytes,
              std::uint32_t nav_edges, std::uint32_t width_max);

  /// Whether nothing was measured that holds for this memory.
  bool empty() const { return curves_.empty(); }
  /// Between measured k's by the logarithm of k; beyond the largest in proportion. Walks the edges
  /// in RAM unless blocks that lead the way reach the recall for less. Not empty.
  /// k >= 1, recall in (0, 1]. O(curves).
  Effort at(std::uint32_t k, double recall) const;
  std::size_t ram_bytes() const;
  /// What a table of the calibration takes, whatever is in RAM.
  static std::size_t ram_bytes_max(const layout::Calibration& calibration);

 private:
  using Curves = std::span<const layout::Curve>;
  static Curves of(Curves state, std::uint32_t k, std::uint32_t width);
  Effort at(Curves state, std::uint32_t k, double recall) const;
  Effort at_measured(Curves state, std::uint32_t k, double recall) const;

  std::vector<layout::Curve> curves_;  // of one refinement, in order: without edges, then with all
  std::size_t walking_ = 0;            // those of the state of memory begin here
  std::uint32_t width_max_ = 1;
};

}  // namespace cairn::search
