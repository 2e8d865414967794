// An index in RAM for benchmarks of the search machine: a real graph in its locality order, real
// codes and blocks, and the true neighbours of its queries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/engine/search/small_segment.h"

namespace cairn::search::bench {

struct WorldOptions {
  std::string base_path, query_path;  // u8bin files; empty: generated vectors
  std::uint32_t count = 100'000;
  std::uint32_t query_count = 1000;
  std::uint32_t degree = 64;
  std::uint32_t code_bytes = 32;
  std::uint32_t refine_bytes = 32;
};

struct World {
  std::unique_ptr<testing::SmallSegment> owner;
  testing::Vectors queries;
  std::vector<std::vector<Label>> truth;  // 10 nearest of each query
  QueryLimits limits;
};

/// Tens of microseconds of core time a vector, plus count * query_count distances for the truth.
World make_world(const WorldOptions& options);

}  // namespace cairn::search::bench
