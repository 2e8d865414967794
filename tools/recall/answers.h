// What every query of one measured row found, and how long each took.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace cairn::tools {

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

/// What the distances are of.
struct AnswerKind {
  Metric metric = Metric::l2;
  DType dtype = DType::f32;
};

/// Share of the k true neighbours among the distinct ids of a query, the k-th of which is at
/// `kth_distance`; see counts_as_found().
double recall_of(const AnswerTable& answers, std::uint64_t query, float kth_distance,
                 const AnswerKind& kind);

/// Distinct ids that both found for the query, by k. Both have as many places a query.
double overlap_of(const AnswerTable& one, const AnswerTable& other, std::uint64_t query);

}  // namespace cairn::tools
