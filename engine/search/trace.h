// Searches run to their end, block by block, with what each block would have taken to be read: the
// whole curve of recall against slack from one search a query, since a larger slack only goes on
// where a smaller one stops. Blocks arrive in the order in which they were wanted, so that a trace
// depends on the index and the query alone.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/search/snapshot.h"

namespace cairn::search {

/// A query whose true neighbours are known.
struct TracedQuery {
  VectorView vector;
  std::optional<Ref> hidden;  // the query itself, when it is a vector of the index
};

struct TraceOptions {
  std::uint32_t k = 10;
  std::uint32_t list_size = 0;
  std::uint32_t width = 1;  // blocks under way at once
  float slack = 0;          // of the searches; more than slack_max traces them to that
  /// A trace ends at the first block that would need more.
  float slack_max = 0;
  std::uint32_t threads = 1;
  io::BlockCache* cache = nullptr;  // changes no trace; null: every block is read
};

/// After `i` blocks `found[i]` of the true k are found and `codes[i]` were looked at; with a slack
/// of `needed[i]` and more the next one is read. `needed` ascends; lowest() while there are fewer
/// than k results. Exact for smaller slacks with one block under way alone: of several, those that
/// a search still waits for when it wants no more may make it want more.
struct Trace {
  std::vector<float> needed;
  std::vector<std::uint32_t> found, codes;  // one more
};

/// traces[i] is of queries[i], whose k-th true neighbour is at kth[i]. Errors of the device, and
/// corrupt, naming file and block; `cancelled` when `tick`, called by one thread now and then,
/// returns false. O(blocks read); RAM: at most 16 MiB of blocks a thread or k + 4 of them, and the
/// traces.
Status trace_searches(const Snapshot& snapshot, std::span<const TracedQuery> queries,
                      std::span<const float> kth, const TraceOptions& options,
                      std::span<Trace> traces, const std::function<bool()>& tick);

}  // namespace cairn::search
