// What of a Cairn index is in RAM at which memory limit, for an index that is not built yet: by the
// arithmetic that opening one uses.
#pragma once

#include <cairn/builder.h>
#include <cairn/result.h>

#include <cstdint>
#include <vector>

#include "engine/search/memory_plan.h"
#include "tools/plan/workload.h"

namespace cairn::tools::plan {

/// A memory limit and what it loads.
struct CairnState {
  std::uint64_t limit_bytes = 0;
  search::SegmentPlan loaded;
  std::uint32_t refine_bytes = 0, nav_edges = 0;  // of a vector
  bool all_edges = false;                         // that are kept in RAM form at most
  std::uint64_t ram_bytes = 0;                    // what the open index takes, its cache included
  std::uint64_t cache_bytes = 0;
};

/// The index that a build with these options would make.
class CairnForm {
 public:
  /// `options.refine_layers` are chosen as a build of so many vectors does. `blocks_bytes`: of all
  /// blocks, which a cache does not exceed.
  CairnForm(const Workload& workload, const BuildOptions& options, double blocks_bytes);

  const BuildOptions& options() const { return options_; }

  /// The smallest limit that works first, and some on the way to all that can be loaded; what the
  /// user's own memory limit loads, if it works, is among them. Ascending, each state once but for
  /// a cache.
  std::vector<CairnState> states() const;

  /// What `limit_bytes` loads; over_limit below the smallest that works.
  Result<CairnState> at(std::uint64_t limit_bytes) const;
  std::uint64_t smallest_bytes() const;

  /// What must be measured for `states`: what they load, and where a memory limit loads as much
  /// refinement without edges that too, since a search may leave edges alone. Each once.
  std::vector<search::SegmentPlan> measured(const std::vector<CairnState>& states) const;

 private:
  std::vector<std::uint64_t> steps() const;

  Workload workload_;
  BuildOptions options_;
  std::uint64_t blocks_bytes_;
  search::SegmentParts parts_;
};

}  // namespace cairn::tools::plan
