// The resident part of one segment, as a search sees it: plain views of arrays that the open index
// owns and never changes. A search runs over a list of these (one snapshot).
#pragma once

#include <cairn/types.h>

#include <array>
#include <cstdint>
#include <span>

#include "engine/math/pq.h"
#include "layout/node_block.h"
#include "layout/segment_map.h"
#include "layout/streams.h"

namespace cairn::search {

struct Segment {
  std::uint64_t slot_count = 0;
  std::uint64_t vector_count = 0;
  layout::BlockShape shape;
  const layout::SegmentMap* map = nullptr;

  const math::Codebook* codebook = nullptr;
  const std::uint8_t* codes = nullptr;  // slot_count x codebook->shape.m

  /// Of the base and the layers of refinement that are loaded; null: none is.
  const math::LayeredCodebook* refine_codebook = nullptr;
  std::span<const std::uint8_t* const> refine_codes;  // of each layer; the base's are the first

  /// nav[s] = slice s (see layout/streams.h); only loaded slices. nav_complete: the slices hold all
  /// edges of every node, so that blocks teach nothing about adjacency.
  std::uint32_t nav_bits = 0;
  std::span<const std::byte* const> nav;
  bool nav_complete = false;

  const layout::Entries* entries = nullptr;
};

/// A block that a query wants to see.
struct BlockWant {
  std::uint32_t segment = 0;     // index into the list of segments
  std::uint32_t first_slot = 0;  // of the block; identifies it within the segment
};

}  // namespace cairn::search
