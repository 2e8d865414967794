// One row of `cairn recall`: all queries once at one list size, timed and counted.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn::tools {

struct RecallOptions {
  std::uint32_t k = 10;
  std::uint32_t list_size = 0;
  std::optional<float> slack = {};    // of SearchRequest
  std::optional<double> recall = {};  // of SearchRequest, in place of the two
  std::uint32_t threads = 1;
  /// 0: each thread has one query at a time and latency is that of one query. Otherwise each
  /// thread interleaves its share on one ring with this many reads in flight.
  std::uint32_t batch_reads = 0;
  /// Takes each result with its latency, 0 in a batch. Called by all threads, within the time that
  /// is measured.
  std::function<void(std::uint64_t query, const SearchResult& result, double latency_us)> seen = {};
};

struct RecallRow {
  std::uint32_t list_size = 0, threads = 1;
  std::optional<double> asked = {};  // recall, and then what it came to
  std::optional<double> slack = {};
  std::optional<std::uint32_t> edges = {};  // in RAM of each node, as far as they are walked
  double recall = 0, qps = 0;
  double mean_us = 0, p50_us = 0, p99_us = 0, p999_us = 0;  // of one query; 0 in a batch
  double cpu_us = 0;                                        // user + system, a query
  // SearchCounters of a query on average, unset where they are not counted.
  double reads = 0, rounds = 0;
  std::optional<double> cache_hits = {}, shared = {}, code_distances = {};
  std::optional<double> refined_distances = {}, exact_distances = {};
  std::uint64_t index_ram_bytes = 0;
};

/// The k true neighbours of a query, nearest first.
using TruthRow =
    std::function<void(std::span<const std::uint32_t> ids, std::span<const float> distances)>;

/// Each row of a ground-truth file in order. invalid_argument when it is not of so many queries or
/// has fewer than k columns; corrupt, naming the row, when a row is padded before its k-th place:
/// against infinity every answer would be right.
Status read_truth(const std::string& path, std::uint64_t queries, std::uint32_t k,
                  const TruthRow& take);

/// Distance of each query's k-th true neighbour. Errors of read_truth.
Result<std::vector<float>> read_kth_distances(const std::string& path, std::uint64_t queries,
                                              std::uint32_t k);

/// `kth_distance[i]`: exact distance of the k-th true neighbour of query i; a distinct returned
/// label counts as counts_as_found() has it. Empties the cache first. `tick` is called by one
/// thread now and then; an error ends the measurement, as do threads that cannot be started.
Result<RecallRow> measure_recall(const Index& index, const VectorBatch& queries,
                                 std::span<const float> kth_distance, const RecallOptions& options,
                                 const std::function<Status(std::uint64_t done)>& tick);

}  // namespace cairn::tools
