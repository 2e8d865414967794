// Entry points: a sample of the vectors in two levels, so that a search begins near its query.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <span>

#include "engine/workers.h"
#include "layout/streams.h"

namespace cairn::build {

/// Sampled vectors of the build space and the slots they stand in, part after part; called twice.
struct EntrySample {
  VectorBatch vectors;
  std::span<const std::uint32_t> slots;
};
using EntrySamples = std::function<Status(const std::function<void(const EntrySample&)>& visit)>;

/// About sqrt(samples) <= 2048 lists by k-means, of all `count` samples of `dim` elements. The head
/// of a list is its sample nearest to the list's centroid. 12 bytes a sample of RAM beside the part
/// at hand.
Result<layout::Entries> choose_entries(std::uint64_t count, std::uint32_t dim,
                                       const EntrySamples& samples, std::uint64_t seed,
                                       const Workers& workers);

}  // namespace cairn::build
