// What answers are measured against.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::tools {

struct TruthOptions {
  std::string file = {};  // of `cairn groundtruth`; empty: exact search over the index's own rows
  bool quiet = false;     // no progress
};

/// Distance of each query's k-th true neighbour, or of the last where the index has fewer than k.
/// Errors: of read_kth_distances(), and of a scan of the index.
Result<std::vector<float>> true_kth_distances(const Index& index, const VectorBatch& queries,
                                              std::uint32_t k, const TruthOptions& options);

}  // namespace cairn::tools
