// The only arithmetic between the slots of a segment and the blocks of its files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "layout/manifest.h"

namespace cairn::layout {

/// Where a slot stands: place `place` of block `block` of file `file_number`.
struct Place {
  std::uint64_t file_number = 0;
  std::uint64_t block = 0;
  std::uint32_t place = 0;

  bool operator==(const Place&) const = default;
};

/// Maps the slots of one segment to blocks and back. 28 bytes an extent; no table by slot.
class SegmentMap {
 public:
  /// `extents`: those of `segment`, by first_slot, of a manifest that passed check_manifest.
  SegmentMap(const SegmentRecord& segment, std::span<const ExtentRecord> extents);

  std::uint64_t slot_count() const { return slot_count_; }

  /// slot < slot_count(). O(1) with one extent, else O(log extents).
  Place locate(std::uint64_t slot) const {
    const Extent& extent = extents_.size() == 1 ? extents_[0] : extent_of(slot);
    const auto within = static_cast<std::uint32_t>(slot - extent.first_slot);
    return {.file_number = extent.blocks_file,
            .block = extent.first_block + within / slots_per_block_,
            .place = within % slots_per_block_};
  }

  /// The slot of place 0 of a block, or nothing when no extent holds that block. O(log extents).
  std::optional<std::uint32_t> first_slot_of(std::uint64_t file_number, std::uint64_t block) const;

 private:
  struct Extent {
    std::uint64_t blocks_file;
    std::uint64_t first_block;
    std::uint32_t first_slot;
    std::uint32_t blocks;
  };
  const Extent& extent_of(std::uint64_t slot) const;

  std::uint64_t slot_count_;
  std::uint32_t slots_per_block_;
  std::vector<Extent> extents_;          // by first_slot
  std::vector<std::uint32_t> by_block_;  // indices into extents_, by (blocks_file, first_block)
};

}  // namespace cairn::layout
