// A run of one thread over a simulated device, drawn from a seed: an index, how it is opened, what
// is asked of it, and what its device does wrong meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/reliability/known_index.h"

namespace cairn::reliability {

struct ScheduleCounts {
  std::uint64_t steps = 0, errors = 0, reads = 0, cache_hits = 0, opens = 0, refused_opens = 0,
                published = 0, verified = 0;
  // Answers: alike those without faults, or the true neighbours; and others, of which any is right
  // that has true distances and breaks no limit.
  std::uint64_t certain = 0, plausible = 0;
  ScheduleCounts& operator+=(const ScheduleCounts& other);
};

struct ScheduleOutcome {
  std::uint64_t digest = 0;  // of everything that was seen
  std::string wrong;         // empty: nothing
  ScheduleCounts counts;
};

/// `trace`: prints each step.
ScheduleOutcome run_schedule(const std::vector<KnownIndex>& worlds, std::uint64_t seed, bool trace);

}  // namespace cairn::reliability
