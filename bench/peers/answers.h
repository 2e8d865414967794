// What every query of one measured row found, and how long each took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "tools/recall/measure.h"

namespace cairn::peers {

/// Row-major (queries, k). Places that were not filled hold id -1 at +infinity.
struct AnswerTable {
  AnswerTable(std::uint64_t queries, std::uint32_t neighbors)
      : k(neighbors),
        ids(queries * neighbors, -1),
        distances(queries * neighbors, std::numeric_limits<float>::infinity()),
        latency_us(queries) {}

  std::uint64_t queries() const { return latency_us.size(); }
  /// `rank` < k.
  void set(std::uint64_t query, std::size_t rank, std::uint64_t id, double distance) {
    ids[query * k + rank] = static_cast<std::int64_t>(id);
    distances[query * k + rank] = static_cast<float>(distance);
  }

  std::uint32_t k;
  std::vector<std::int64_t> ids;
  std::vector<float> distances;    // as Cairn's: squared l2; 1 - dot; 1 - cosine
  std::vector<double> latency_us;  // 0 in a batch
};

/// Takes a measured row and its answers; an error ends the measurement.
using Seen = std::function<Status(const tools::RecallRow& row, const AnswerTable& answers)>;

}  // namespace cairn::peers
