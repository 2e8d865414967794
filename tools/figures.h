// Figures of a measured run: core time and latencies, defined once so that Cairn and its peers are
// measured alike.
#pragma once

#include <vector>

namespace cairn::tools {

/// User and system time of the whole process since it began.
double cpu_seconds();

struct Latency {
  double mean_us = 0, p50_us = 0, p99_us = 0, p999_us = 0;
};

/// Percentiles by nearest rank: the smallest sample that at least that share does not exceed. All
/// zero without samples. O(n log n).
Latency latency_of(std::vector<double> samples_us);

}  // namespace cairn::tools
