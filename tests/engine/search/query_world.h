// One segment, queries to it and their truth: what the tests of the search machine share.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/engine/search/small_segment.h"

namespace cairn::search::testing {

inline constexpr std::uint32_t kCount = 600;
inline constexpr std::uint32_t kNear = 10, kFar = 3;
inline constexpr std::uint32_t kAllSlices = 2;  // 14 edges a node

/// One segment and what is needed to search it.
struct World {
  std::unique_ptr<SmallSegment> owner;
  QueryLimits limits;
  Vectors queries;
  SegmentOptions options;

  SearchRequest request(std::uint32_t i, std::uint32_t k, std::uint32_t list_size) const {
    SearchRequest r;
    r.query = queries.row(i);
    r.k = k;
    r.list_size = list_size;
    return r;
  }
};

/// Vectors around 12 centres and their brute-force graph; 10 queries around the same centres.
World make_world(SegmentOptions options, DType dtype = DType::f32, std::uint32_t count = kCount,
                 std::uint32_t dim = 16);

/// Drives a search to its end, which must be no error.
SearchResult search(const World& world, const SearchRequest& request,
                    const RunOptions& options = {});
std::vector<Neighbor> truth(const World& world, const SearchRequest& request);

void expect_same(const std::vector<Neighbor>& found, const std::vector<Neighbor>& expected);
double recall(const std::vector<Neighbor>& found, const std::vector<Neighbor>& expected);

}  // namespace cairn::search::testing
