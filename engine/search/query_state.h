// What a search holds between its steps. Private to query.cc and walk.cc.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "engine/search/block_set.h"
#include "engine/search/candidate_list.h"
#include "engine/search/code_tables.h"
#include "engine/search/query.h"
#include "engine/search/refinement_margin.h"
#include "engine/search/result_heap.h"
#include "engine/search/visited_filter.h"

namespace cairn::search {

/// Codes scanned at the entry points, over all segments of a search.
inline constexpr std::uint32_t kEntryCodesMax = 16384;
/// Entry lists whose samples are scanned, a segment. Where blocks lead the way a nearer start saves
/// reads: on 500k SIFT 20.3, 19.8 and 19.5 of them at recall 0.95 for 1, 4 and 8 lists; with edges
/// in RAM it only saves steps, and more than 2 lists cost more than they save.
inline constexpr std::uint32_t kEntryListsBlocksLead = 8;
inline constexpr std::uint32_t kEntryListsNavigable = 2;
/// Scored entry points that are kept, times the segments, unless more blocks are to be read: the
/// walk starts at the nearest, and to put more in order costs time that brings nothing. See
/// DESIGN.md.
inline constexpr std::size_t kEntriesKept = 16;
static_assert(layout::kNavSlicesMax * layout::kNavEdgesPerSlice <= layout::kDegreeMax);

struct Query::State {
  explicit State(const QueryLimits& query_limits) : limits(query_limits) {}

  void start(const SearchRequest& search_request, std::span<const Segment> search_segments,
             std::optional<Ref> hidden_ref);
  void plan();

  // The walk (walk.cc).
  void seed_with_everything();
  void scan_entries(std::uint32_t segment, std::uint32_t codes_max);
  std::uint32_t scan_list(std::uint32_t segment, std::span<const std::uint32_t> samples,
                          std::uint32_t codes_max);
  void expand_resident();
  void prefetch_nav(const Candidate& candidate) const;
  void expand_nav(const Candidate& candidate);
  void score_new(std::uint32_t segment, std::uint32_t count);
  Status expand_block(const layout::BlockView& view, const BlockWant& want);
  Status follow(const layout::BlockView& view, std::uint32_t place, std::uint32_t segment);
  void score_and_offer(std::uint32_t segment, std::span<const std::uint32_t> slots);

  // The reads (query.cc).
  CandidateList& read_order() { return refining ? refined_list : list; }
  std::uint32_t next_read();
  bool refine_below(float distance);
  float farthest_read() const;
  float measure_of(float kth) const;
  float impatience() const;
  BlockWant block_of(const Candidate& candidate) const;
  std::uint32_t reads_of(std::uint32_t segment) const;
  std::size_t blocks_at_least() const;
  bool worth_reading(const Candidate& candidate);
  bool beyond_bound(const Candidate& candidate);
  bool hides(std::uint32_t segment, std::uint32_t slot) const {
    return hidden && *hidden == Ref{segment, slot};
  }
  bool out_of_time() const;
  void score_exact(const layout::BlockView& view, const BlockWant& want);

  std::size_t ram_bytes() const;

  QueryLimits limits;
  const SearchRequest* request = nullptr;
  std::span<const Segment> segments;
  std::optional<Ref> hidden;
  Effort effort;  // of a recall that was asked for

  CodeTables codes;
  CandidateList list;          // by base code, walk_limit
  CandidateList refined_list;  // by refined code, read_limit; used when refining
  RefinementMargin refinement_margin;
  VisitedFilter visited;
  BlockSet blocks;  // wanted, ever
  ResultHeap results;
  std::optional<math::Scorer> scorer;
  SearchCounters counters;

  std::uint64_t slot_count = 0, vector_count = 0;  // over all segments
  std::size_t read_limit = 0;                      // candidates whose blocks are read
  std::size_t walk_limit = 0;                      // candidates that are expanded when at hand
  std::size_t slots_per_block = 1;                 // most of a segment
  bool rerank_only = false;                        // the list is final before the first read
  bool navigable = false;                          // some segment has edges in RAM, to be walked
  bool refining = false;            // some segment has refinement codes: they order the reads
  float slack = 0;                  // of the width at which it reads
  float slack_needed = 0;           // by the candidate that was looked at last
  Candidate lead;                   // of the block that was wanted last
  Candidate passed_over;            // the best unread one, when it is beyond the bound
  std::uint32_t block_results = 0;  // of the last block
  bool bounding = false;            // the search may end before its list
  bool bounded = false;             // it did: nothing unread was worth a read
  std::uint32_t outstanding = 0, outstanding_reads = 0;  // blocks; units of 4 KiB
  std::uint32_t outstanding_max = 0;                     // as its driver has it
  std::uint32_t idle_blocks = 0;                         // since a block gave a result
  std::optional<Stop> early_stop;

  std::array<std::uint32_t, layout::kDegreeMax> targets;
  std::array<float, layout::kDegreeMax> distances;
};

}  // namespace cairn::search
