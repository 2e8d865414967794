#include "layout/segment_map.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace cairn::layout {

SegmentMap::SegmentMap(const SegmentRecord& segment, std::span<const ExtentRecord> extents)
    : slot_count_(segment.slot_count), slots_per_block_(segment.slots_per_block) {
  extents_.reserve(extents.size());
  for (const ExtentRecord& extent : extents)
    extents_.push_back(
        {.blocks_file = extent.blocks_file,
         .first_block = extent.first_block,
         .first_slot = static_cast<std::uint32_t>(extent.first_slot),
         .blocks = static_cast<std::uint32_t>(extent.slot_count / slots_per_block_)});
  by_block_.resize(extents_.size());
  std::iota(by_block_.begin(), by_block_.end(), 0U);
  std::ranges::sort(by_block_, {}, [this](std::uint32_t i) {
    return std::pair{extents_[i].blocks_file, extents_[i].first_block};
  });
}

const SegmentMap::Extent& SegmentMap::extent_of(std::uint64_t slot) const {
  assert(slot < slot_count_);
  const auto after = std::ranges::upper_bound(extents_, slot, {}, &Extent::first_slot);
  return *(after - 1);
}

std::optional<std::uint32_t> SegmentMap::first_slot_of(std::uint64_t file_number,
                                                       std::uint64_t block) const {
  const auto after = std::ranges::upper_bound(
      by_block_, std::pair{file_number, block}, {}, [this](std::uint32_t i) {
        return std::pair{extents_[i].blocks_file, extents_[i].first_block};
      });
  if (after == by_block_.begin()) return std::nullopt;
  const Extent& extent = extents_[*(after - 1)];
  if (extent.blocks_file != file_number || block - extent.first_block >= extent.blocks)
    return std::nullopt;
  return extent.first_slot +
         static_cast<std::uint32_t>(block - extent.first_block) * slots_per_block_;
}

}  // namespace cairn::layout
