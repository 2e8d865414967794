#include "engine/search/memory_plan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace cairn::search {
namespace {

/// One step of the order of benefit: layers of refinement, then navigation slices, up to a count.
struct Step {
  std::uint32_t layers_end = 0;
  std::uint32_t slices_end = 0;
};

constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();

/// Reads saved a byte, measured on 500k SIFT at recall 0.95: see DESIGN.md, Codes. Two layers bring
/// most of what refinement does; after them 8 edges of 19 bytes save more than the layers left.
constexpr std::array kOrder = {
    Step{.layers_end = 2},
    Step{.slices_end = 1},
    Step{.layers_end = kAll},
    Step{.slices_end = kAll},
};

std::uint64_t fixed_bytes(std::span<const SegmentParts> segments, std::uint64_t base_bytes) {
  for (const SegmentParts& segment : segments) base_bytes += segment.fixed_bytes;
  return base_bytes;
}

/// Loads what `step` names of one segment as far as it fits into `room`.
void take(const Step& step, const SegmentParts& parts, SegmentPlan& plan, std::uint64_t& room) {
  while (plan.layers < std::min<std::size_t>(step.layers_end, parts.refine_bytes.size()) &&
         parts.refine_bytes[plan.layers] <= room)
    room -= parts.refine_bytes[plan.layers++];
  while (plan.slices < std::min(step.slices_end, parts.slices) && parts.slice_bytes <= room) {
    ++plan.slices;
    room -= parts.slice_bytes;
  }
}

}  // namespace

std::uint64_t all_parts_bytes(std::span<const SegmentParts> segments, std::uint64_t base_bytes) {
  std::uint64_t bytes = fixed_bytes(segments, base_bytes);
  for (const SegmentParts& segment : segments) {
    bytes += segment.slice_bytes * segment.slices;
    for (const std::uint64_t layer : segment.refine_bytes) bytes += layer;
  }
  return bytes;
}

std::uint64_t default_limit(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                            std::uint64_t process_bytes) {
  return std::min(all_parts_bytes(segments, base_bytes), process_bytes / 2);
}

Result<MemoryPlan> plan_memory(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                               std::uint64_t limit_bytes, std::uint64_t cache_bytes_max) {
  const std::uint64_t fixed = fixed_bytes(segments, base_bytes);
  if (fixed > limit_bytes)
    return fail({.code = ErrorCode::over_limit,
                 .what = "memory limit",
                 .found = std::to_string(limit_bytes) + " bytes",
                 .expected = "at least " + std::to_string(fixed) + " bytes"});
  MemoryPlan plan;
  plan.segments.resize(segments.size());
  std::uint64_t room = limit_bytes - fixed;
  for (const Step& step : kOrder)
    for (std::size_t i = 0; i < segments.size(); ++i)
      take(step, segments[i], plan.segments[i], room);
  plan.loaded_bytes = limit_bytes - room;
  const std::uint64_t cache = std::min(room, cache_bytes_max);
  plan.cache_bytes = cache >= kCacheBytesMin ? cache : 0;
  return plan;
}

MemoryPlan plan_alike(std::span<const SegmentParts> segments, std::uint64_t base_bytes,
                      const SegmentPlan& wanted) {
  MemoryPlan plan;
  plan.loaded_bytes = fixed_bytes(segments, base_bytes);
  for (const SegmentParts& segment : segments) {
    const SegmentPlan part{
        .layers = std::min(wanted.layers, static_cast<std::uint32_t>(segment.refine_bytes.size())),
        .slices = std::min(wanted.slices, segment.slices)};
    for (std::uint32_t i = 0; i < part.layers; ++i) plan.loaded_bytes += segment.refine_bytes[i];
    plan.loaded_bytes += part.slices * segment.slice_bytes;
    plan.segments.push_back(part);
  }
  return plan;
}

std::vector<std::uint64_t> memory_steps(std::span<const SegmentParts> segments,
                                        std::uint64_t base_bytes) {
  const std::uint64_t fixed = fixed_bytes(segments, base_bytes);
  // So many layers and so many slices, of all segments alike.
  std::size_t layers = 0, slices = 0;
  for (const SegmentParts& segment : segments) {
    layers = std::max(layers, segment.refine_bytes.size());
    slices = std::max<std::size_t>(slices, segment.slices);
  }
  std::vector<std::uint64_t> limits;
  for (std::size_t layers_end = 0; layers_end <= layers; ++layers_end) {
    for (std::size_t slices_end = 0; slices_end <= slices; ++slices_end) {
      std::uint64_t bytes = fixed;
      for (const SegmentParts& segment : segments) {
        bytes += segment.slice_bytes * std::min<std::size_t>(slices_end, segment.slices);
        for (std::size_t i = 0; i < std::min(layers_end, segment.refine_bytes.size()); ++i)
          bytes += segment.refine_bytes[i];
      }
      limits.push_back(bytes);
    }
  }
  std::ranges::sort(limits);
  std::vector<std::uint64_t> steps;
  std::vector<SegmentPlan> before;
  for (const std::uint64_t limit : limits) {
    const auto plan = plan_memory(segments, base_bytes, limit, 0);
    if (!plan || plan->segments == before) continue;
    before = plan->segments;
    steps.push_back(limit);
  }
  return steps;
}

}  // namespace cairn::search
