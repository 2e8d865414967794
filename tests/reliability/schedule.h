// A run of one thread over a simulated device, drawn from a seed: an index, how it is opened, what
// is asked of it, and what its device does wrong meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/reliability/known_index.h"

namespace cairn::reliability {

struct ScheduleCounts {
  std::uint64_t steps = 0, answers = 0, errors = 0, certain = 0, reads = 0, opens = 0,
                refused_opens = 0, published = 0, verified = 0;
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
