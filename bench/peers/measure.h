// Builds one peer and searches it at each list size and thread count: the columns of
// `cairn recall`, so that the two tables can be laid side by side.
#pragma once

#include <cairn/result.h>

#include "bench/peers/answers.h"
#include "bench/peers/peer.h"

namespace cairn::peers {

struct Workload {
  std::string input, queries, groundtruth;
  std::uint32_t k = 10;
  std::uint32_t queries_max = 0;             // 0: all
  std::vector<std::uint32_t> list_sizes;     // ascending
  std::vector<std::uint32_t> thread_counts;  // the largest builds
};

struct BuildFigures {
  double wall_s = 0, core_us_per_vector = 0;
  std::uint64_t resident_bytes = 0;  // RSS of the process less that before the build
  std::uint64_t peak_rss_bytes = 0;
};

/// All queries and the true k-th distance of each.
struct Queries {
  std::vector<std::byte> data;
  VectorBatch rows;
  std::vector<float> kth_distance;
};

/// invalid_argument when the ground truth is not of these queries or has fewer than k columns.
Result<Queries> read_queries(const Workload& work);

/// Shape of the input, for the peer's constructor.
Result<PeerOptions> read_shape(const Workload& work, Metric metric);

Result<BuildFigures> measure_build(Peer& peer, const Workload& work, const PeerOptions& options);

/// Calls `seen` for every list size with every thread count. A peer reads nothing from disk; what
/// it does not count is unset. The memory is that of `build`.
Status measure_searches(Peer& peer, const Workload& work, const PeerOptions& options,
                        const Queries& queries, const BuildFigures& build, const Seen& seen);

}  // namespace cairn::peers
