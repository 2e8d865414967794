// What a build holds in memory, from which follow how many partitions it needs and the smallest
// budget that works. The model is checked against the resident set by bench and tests.
#pragma once

#include <cairn/builder.h>
#include <cairn/result.h>

#include <cstdint>

#include "engine/build/space.h"

namespace cairn::build {

struct Budget {
  std::uint64_t memory_bytes = 0;      // what the caller allows
  std::uint64_t memory_min_bytes = 0;  // below it nothing works
  std::uint64_t members_max = 0;       // distinct vectors of a partition, second copies included
  std::uint32_t partitions = 1;        // before full ones are split
  std::uint64_t cell_members = 0;      // above which a partition is split
  std::uint64_t scatter_rows = 0;      // of a unit of the scatter
  std::uint64_t window_bytes = 0;      // of vectors while blocks are written
  std::uint64_t fixed_bytes = 0;       // held whatever the size of a partition
  std::uint64_t peak_min_bytes = 0;    // of what is not the linking of partitions
};

/// Linked copies of a vector when there are partitions: see kSecondShare.
inline constexpr double kCopiesExpected = 1.5;

/// RAM of a distinct vector while its partition is linked; `kept_edges` as of Job.
std::uint64_t member_bytes(const Space& space, std::uint32_t degree, std::uint32_t kept_edges = 0);

/// Threads that may link at once: as many as asked for, but few where rows are long and memory
/// short.
std::uint32_t link_threads(const Space& space, const BuildOptions& options);

/// Of `count` vectors. over_limit, naming the smallest budget, when options.memory_bytes is below
/// it. Does not depend on the number of threads.
Result<Budget> make_budget(const Space& space, std::uint64_t count, const BuildOptions& options,
                           std::uint32_t kept_edges = 0);

}  // namespace cairn::build
