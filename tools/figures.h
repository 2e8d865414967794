// Figures of a measured run: core time and latencies, defined once so that Cairn and its peers are
// measured alike.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::tools {

/// part / whole; 0 of nothing.
inline double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// User and system time of the whole process since it began.
double cpu_seconds();

/// A line of /proc/self/status that is given in KiB there, e.g. "VmHWM"; 0 where there is none.
std::uint64_t status_bytes(const std::string& key);

/// Resident memory that no file is behind, after what was freed is given back.
std::uint64_t resident_bytes();

struct Latency {
  double mean_us = 0, p50_us = 0, p99_us = 0, p999_us = 0;
};

/// Percentiles by nearest rank: the smallest sample that at least that share does not exceed. All
/// zero without samples. O(n log n).
Latency latency_of(std::vector<double> samples_us);

/// Whether an answer at `distance` counts when the k-th true neighbour of its query is at `kth`:
/// ties do. Integer vectors under l2 have whole distances, which are compared as they are for as
/// long as f32 sums hold them exactly (2^24). Any other distance is rounded by whoever computed it,
/// so that 1e-5 of it and 1e-6 are allowed for.
bool counts_as_found(double distance, double kth, Metric metric, DType dtype);

}  // namespace cairn::tools
