// How far vectors lie from where an index begins its searches: the heads of its entry points, of
// which there is one for each cluster of a sample of all vectors.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/search/snapshot.h"
#include "engine/search/trace.h"

namespace cairn::search {

class EntryHeads {
 public:
  /// At most 2,048 heads, evenly chosen. corrupt, io. O(heads) block reads.
  static Result<EntryHeads> read(const Snapshot& snapshot);

  /// Of each query to the nearest head: l2, between unit vectors unless that is the metric.
  /// O(queries * heads * dim).
  Result<std::vector<float>> distances(std::span<const TracedQuery> queries,
                                       std::uint32_t threads) const;

 private:
  EntryHeads(Metric metric, std::uint32_t dim) : metric_(metric), dim_(dim) {}
  void append(VectorView row, std::vector<float>& floats) const;

  Metric metric_;
  std::uint32_t dim_;
  std::vector<float> heads_;
};

}  // namespace cairn::search
