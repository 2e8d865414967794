// Entry points: a sample of the vectors in two levels, so that a search begins near its query.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <span>

#include "engine/build/workers.h"
#include "layout/streams.h"

namespace cairn::build {

/// One vector of 32, all when there are at most 64, in about sqrt(samples) <= 256 lists by k-means.
/// The head of a list is its sample nearest to the list's centroid. `vectors` are distinct vectors
/// of the build space, `slot_of_vector` where they stand. About 0.13 bytes a vector on disk.
layout::Entries choose_entries(const VectorBatch& vectors,
                               std::span<const std::uint32_t> slot_of_vector, std::uint64_t seed,
                               const Workers& workers);

}  // namespace cairn::build
