// Which parts of an index to keep in RAM under a limit. Pure arithmetic: the sizes come from
// resident.h, which allocates exactly what it states here.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

namespace cairn::search {

/// A block cache below this is not worth its tables.
inline constexpr std::uint64_t kCacheBytesMin = 64u << 10;

/// What one segment may keep in RAM, in bytes as allocated: rounding and pads included.
struct SegmentParts {
  std::uint64_t fixed_bytes = 0;  // codes, codebook, entry points, label tops, maps: always
  std::vector<std::uint64_t> refine_bytes = {};  // of each layer: codes and their codebook
  std::uint64_t slice_bytes = 0;                 // one navigation slice
  std::uint32_t slices = 0;                      // in the file
};

struct SegmentPlan {
  std::uint32_t layers = 0;  // of refinement; [0, layers) are loaded
  std::uint32_t slices = 0;  // navigation slices [0, slices) are loaded

  friend bool operator==(const SegmentPlan&, const SegmentPlan&) = default;
};

struct MemoryPlan {
  std::vector<SegmentPlan> segments;
  std::uint64_t loaded_bytes = 0;  // everything but the cache
  std::uint64_t cache_bytes = 0;   // 0: no block cache
};

/// Bytes of everything that can be loaded, without a cache.
std::uint64_t all_parts_bytes(std::span<const SegmentParts> segments, std::uint64_t base_bytes);

/// The limit when the caller gives none: everything, but at most half of `process_bytes`.
std::uint64_t default_limit(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                            std::uint64_t process_bytes);

/// Fixed parts of all segments always; then, in the order of benefit a byte, every part that still
/// fits; what remains, up to `cache_bytes_max`, is the block cache when it is at least
/// kCacheBytesMin. `base_bytes`: what the index allocates beside its segments. over_limit, naming
/// the smallest limit that works. O(parts).
Result<MemoryPlan> plan_memory(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                               std::uint64_t limit_bytes, std::uint64_t cache_bytes_max);

/// `wanted` of every segment, as far as it has that, and no cache, whatever it takes.
MemoryPlan plan_alike(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                      const SegmentPlan& wanted);

/// The limits at which a plan holds something more than below: the smallest that works first, all
/// that can be loaded last. O(layers * slices).
std::vector<std::uint64_t> memory_steps(std::span<const SegmentParts> segments,
                                        std::uint64_t base_bytes);

}  // namespace cairn::search
