// Bytes of the designs that keep all in RAM, by their structure.
#pragma once

#include <cstdint>

#include "tools/plan/workload.h"

namespace cairn::tools::plan {

struct Footprint {
  double ram_bytes = 0;        // while it serves
  double disk_bytes = 0;       // of its file
  double build_ram_bytes = 0;  // at most, while it is built
};

/// hnswlib with M links: of a vector, a record of level 0 (u32 counter, 2 M links, the row, an
/// 8-byte label), (4 + 4 M) / (M - 1) bytes of upper links on the mean, and 92 bytes of pointer,
/// level, mutex and label table. In its file the last are 4 bytes. Bytes stay bytes where it has
/// a space for them (u8 under l2), else it takes floats.
Footprint hnsw_footprint(const Workload& workload, std::uint32_t m);

/// Rows an inverted list is for: FAISS advises 4 to 16 sqrt(n) lists.
std::uint64_t ivf_lists(std::uint64_t count);

/// FAISS: rows as floats and an 8-byte id in each list, and the centroids as floats.
Footprint ivf_flat_footprint(const Workload& workload);

/// FAISS: codes and an 8-byte id in each list, the centroids; with `rerank` all rows as floats.
Footprint ivf_pq_footprint(const Workload& workload, std::uint32_t code_bytes, bool rerank);

/// Bytes of a code that IVF-PQ is planned with: a quarter of the dimension, 8 to 128.
std::uint32_t ivf_code_bytes(std::uint32_t dim);

}  // namespace cairn::tools::plan
