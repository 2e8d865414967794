// The parts of Index::examine: what is looked for, and what becomes of it.
#pragma once

#include <cairn/examine.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/search/query_rows.h"
#include "engine/search/reach.h"
#include "engine/search/snapshot.h"

namespace cairn::search {

/// Told what is being done and how far; an error ends the work.
using Tell = std::function<Status(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

/// Bits of the slots of all segments, one SlotBits a segment.
using AllSlots = std::vector<SlotBits>;

/// Queries and their true neighbours.
struct ExaminedSet {
  QueryRows queries;
  std::uint32_t k = 0;
  std::vector<Ref> truth;  // queries x k, nearest first
  std::vector<float> kth;  // distance of the last of them
};

/// Exact neighbours of both sets in one pass over the index. O(queries * vectors * dim).
Status compute_truth(const Snapshot& snapshot, const AllSlots& occupied, std::uint32_t threads,
                     const Tell& tell, std::span<ExaminedSet* const> sets);

/// Neighbours as the options give them. At most 2 page reads a segment and a block read each.
Status look_up_truth(const Snapshot& snapshot, const ExamineOptions& options, const Tell& tell,
                     ExaminedSet& set);

/// What is the same for all searches.
struct SearchPlan {
  SearchRequest request;  // without a query
  std::uint32_t width = 1;
  std::uint64_t usual_list = 0;
};

struct Outcome {
  std::uint32_t found = 0;  // of the true k
  std::uint32_t reads = 0, codes = 0;
  std::array<std::uint32_t, kMissReasons> missed_for = {};
};

/// Searches for each query of a set, and finds out why each neighbour that it misses is missed.
/// See <cairn/examine.h> for the costs.
Status examine_searches(const Snapshot& snapshot, const AllSlots& occupied, const AllSlots& reached,
                        const SearchPlan& plan, const ExaminedSet& set, std::uint32_t threads,
                        const Tell& tell, std::span<Outcome> outcomes);

}  // namespace cairn::search
