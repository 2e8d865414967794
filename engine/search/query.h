// One search as a plain state machine over a list of segments: start, then wants / absorb until
// done, then take. It does no I/O, owns no thread and allocates nothing between start and take once
// it is warm, so that a synchronous loop, an interleaving batch and an Asio completion drive the
// same code, and a test can feed it blocks in any order.
//
// Best-first search on code distances (Jayaram Subramanya et al., DiskANN, NeurIPS 2019, section 3)
// with two changes: what is at hand is expanded before a read is chosen, and every vector of a
// block that arrives is scored.
#pragma once

#include <cairn/index.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/math/distance.h"
#include "engine/search/candidate_list.h"
#include "engine/search/effort.h"
#include "engine/search/segment.h"
#include "io/block_reader.h"

namespace cairn::search {

/// Candidates kept and walked for a search that reads the blocks of the best `list_size`: a wider
/// walk costs time in RAM but no read. Where refined codes choose what is read, the base codes need
/// only bring the right candidates near the front; with no edges in RAM most that a wider walk
/// keeps are only refined, never expanded. See DESIGN.md for what each width brought.
inline constexpr std::uint64_t walk_size(std::uint64_t list_size, bool refined, bool navigable) {
  const std::uint64_t wanted = !refined ? list_size / 4 : (navigable ? 3 : 2) * list_size;
  return list_size + std::clamp<std::uint64_t>(wanted, 40, 384);
}

/// What is fixed for all queries on an index.
struct QueryLimits {
  Metric metric = Metric::l2;
  DType dtype = DType::f32;
  std::uint32_t dim = 0;
  std::uint32_t beam_width = 4;  // reads in flight of one query while blocks decide what is next
  const EffortTable* efforts = nullptr;  // null or empty: recall cannot be asked for
};

/// invalid_argument for k = 0, a slack that is no number, a recall outside (0, 1] or beside a list
/// size or slack, a wrong dim or dtype, and what math::check_row refuses; unsupported for `recall`
/// of an index that was not calibrated. O(dim).
Status check_request(const SearchRequest& request, const QueryLimits& limits);

/// What of it concerns a recall that is asked for.
Status check_recall(std::uint32_t k, double recall, const QueryLimits& limits);

class Query {
 public:
  explicit Query(const QueryLimits& limits);
  ~Query();
  Query(Query&&) noexcept;
  Query& operator=(Query&&) noexcept;

  /// Begins a search; `request` has been checked and must outlive it (query bytes included), as
  /// must `segments`. Builds tables, scans entry points, expands what is resident. `hidden` is
  /// treated as if it were not in the index, but for the edges that lead past it: it is not scored,
  /// expanded or returned.
  void start(const SearchRequest& request, std::span<const Segment> segments,
             std::optional<Ref> hidden = {});

  /// Blocks to read now: at most out.size(), best first, never one already wanted by this query.
  /// Each must be answered by absorb(), unless the search is given up: then start() begins another.
  /// 0 while waiting, or when done. `width`, 1 to limits.beam_width: blocks under way at once while
  /// each that arrives may change what is wanted next, for a search with slack; others take the
  /// full width. Fewer cost fewer reads, more cost fewer rounds.
  std::uint32_t wants(std::span<BlockWant> out, std::uint32_t width);
  std::uint32_t wants(std::span<BlockWant> out);  // at the full width

  /// A verified block arrived from `source`. corrupt if the block breaks an invariant.
  Status absorb(const BlockWant& want, std::span<const std::byte> page, io::BlockSource source);

  /// Whether nothing more is wanted and nothing is outstanding.
  bool done() const;
  /// The least slack that lets a search read the block that wants() gave last, when it gives one at
  /// a time to a search with slack; lowest() while there are fewer than k results.
  float slack_needed() const;
  /// The candidate whose block wants() gave last.
  Candidate lead() const;
  const SearchCounters& counters() const;  // so far
  /// Whether the best unread candidate is beyond the bound, and which it is.
  bool bounded() const;
  Candidate passed_over() const;
  std::uint32_t list_size() const;
  float slack() const;
  bool walks_edges() const;  // that are in RAM
  /// Whether the walk's list holds it, read or not. O(code bytes + log list size).
  bool holds(Ref ref) const;
  bool read(Ref ref) const;  // whether its block was wanted
  /// Vectors of the last block absorbed that were among the best then.
  std::uint32_t results_of_last_block() const;
  /// The k-th result so far; infinite while there are fewer.
  float kth_distance() const;
  /// Results so far that are no farther than `distance`.
  std::uint32_t found_within(float distance) const;

  /// Called by the driver each time it waits for this query's reads, to count rounds.
  void count_round();

  /// Sorted results; the machine may then be started again.
  SearchResult take();

  /// Bytes of this context, tables included: <= 256 KiB up to list size 1024, code bytes 128.
  std::size_t ram_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::search
