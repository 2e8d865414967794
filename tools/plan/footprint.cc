#include "tools/plan/footprint.h"

#include <algorithm>
#include <cmath>

namespace cairn::tools::plan {
namespace {

constexpr double kLabelBytes = 8, kLinkBytes = 4;
// Pointer to upper links, level, mutex, and the label's entry in a hash table.
constexpr double kHnswNodeBytes = 92;
constexpr std::uint64_t kListsLeast = 16;
constexpr double kListsFactor = 4;
constexpr double kPqCentroids = 256;

double floats_bytes(const Workload& workload) { return 4.0 * workload.dim; }

double count_of(const Workload& workload) { return static_cast<double>(workload.count); }

double centroids_bytes(const Workload& workload) {
  return static_cast<double>(ivf_lists(workload.count)) * floats_bytes(workload);
}

}  // namespace

Footprint hnsw_footprint(const Workload& workload, std::uint32_t m) {
  const bool bytes = workload.dtype == DType::u8 && workload.metric == Metric::l2;
  const double row = bytes ? static_cast<double>(workload.row_bytes()) : floats_bytes(workload);
  const double level_0 = kLinkBytes + 2 * m * kLinkBytes + row + kLabelBytes;
  const double upper = (kLinkBytes + m * kLinkBytes) / (m - 1.0);
  const double n = count_of(workload);
  const double ram = n * (level_0 + upper + kHnswNodeBytes);
  return {
      .ram_bytes = ram, .disk_bytes = n * (level_0 + kLinkBytes + upper), .build_ram_bytes = ram};
}

std::uint64_t ivf_lists(std::uint64_t count) {
  return std::max(kListsLeast,
                  static_cast<std::uint64_t>(kListsFactor * std::sqrt(static_cast<double>(count))));
}

Footprint ivf_flat_footprint(const Workload& workload) {
  const double bytes =
      count_of(workload) * (floats_bytes(workload) + kLabelBytes) + centroids_bytes(workload);
  return {bytes, bytes, bytes};
}

Footprint ivf_pq_footprint(const Workload& workload, std::uint32_t code_bytes, bool rerank) {
  const double vector = code_bytes + kLabelBytes + (rerank ? floats_bytes(workload) : 0);
  const double bytes = count_of(workload) * vector + centroids_bytes(workload) +
                       kPqCentroids * floats_bytes(workload);
  return {bytes, bytes, bytes};
}

std::uint32_t ivf_code_bytes(std::uint32_t dim) { return std::clamp(dim / 4, 8U, 128U); }

}  // namespace cairn::tools::plan
