// Measures on an index what recall costs, so that a search can ask for recall by name.
#pragma once

#include <cairn/index.h>
#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace cairn {

struct CalibrateOptions {
  /// Queries like those to come. None: rows of the index are searched for, each hidden from its own
  /// search. Of the index's dim and dtype, and valid for its metric.
  VectorBatch queries = {};
  /// So many of them, but at most one in eight; for k = 100 an eighth of that.
  std::uint32_t rows = 1000;
  /// The states of memory that fit are measured: codes alone, then each further part that a memory
  /// limit would add. 0: half of what the process may use.
  std::uint64_t memory_bytes = 0;
  std::uint32_t threads = 0;                       // 0: all of the machine
  std::uint64_t seed = 1;                          // which rows
  std::uint32_t read_timeout_ms = kReadTimeoutMs;  // as OpenOptions
  /// Called now and then with the share that is done, 0 to 1; false cancels.
  std::function<bool(double share)> progress = {};
};

struct CalibrateReport {
  std::uint32_t curves = 0, states = 0, queries = 0;
};

/// Measures the index of `folder` and publishes the outcome in it, by a manifest of the next
/// sequence; an index that is open keeps what it has. What was measured before is replaced. For k =
/// 1, 10 and 100. invalid_argument for queries that do not fit the index; busy when another
/// calibration is at work on it; over_limit, not_found, corrupt, io, no_space, out_of_memory;
/// cancelled. Takes some 20,000 searches for 1,000 queries, and their exact neighbours: O(queries *
/// vectors * dim).
Result<CalibrateReport> calibrate_index(const std::string& folder,
                                        const CalibrateOptions& options = {});

}  // namespace cairn
