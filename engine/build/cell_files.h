// What the linking of one partition leaves for the steps that follow: four temporary files and the
// figures of them. Formats are private to a build: a work folder of another version is refused.
//
//   slots-C    of every slot of the cell: its row, u32; then whether it is a duplicate of the one
//              before it, u8; then of every second copy its row, u32
//   lists-C    of every distinct core vector in slot order its edges, see EdgeList
//   inbox-C    what second copies offer their owners, owner after owner, see Offer
//   entries-C  of every sampled vector its slot in the cell, u32; then their vectors
//
// Slots of a cell are counted from 0.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/candidate_rows.h"
#include "engine/build/job.h"
#include "engine/build/prune.h"
#include "layout/node_block.h"

namespace cairn::build {

/// The part of inbox-C for one owner.
struct InboxPart {
  std::uint64_t owner = 0, at = 0, bytes = 0;
};

/// The journal's record of a linked cell.
struct LinkedCell {
  std::uint64_t cores = 0, duplicates = 0, seconds = 0;
  std::uint64_t list_bytes = 0, inbox_bytes = 0, entries = 0;
  std::uint64_t block_bytes = 0, slots_per_block = 0;  // of the segment: the first cell decides
  std::vector<InboxPart> inbox;

  std::uint64_t slots() const { return cores + duplicates; }
  std::uint64_t slots_file_bytes() const { return slots() * 5 + seconds * 4; }
  Journal::Words words() const;
  static LinkedCell from(std::span<const std::uint64_t> words);
};

/// Distances order edges of two lists: their upper 16 bits do, and take half the room.
inline std::uint16_t distance_code(float distance) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(distance) >> 16);
}

/// An edge of a list that waits to be joined: usefulness is (rank, distance).
struct RankedEdge {
  std::uint32_t target = 0;
  std::uint16_t distance = 0;  // distance_code
  std::uint8_t rank = 0;       // 0 kept at alpha 1, 1 kept at alpha, 2 saturation
};

/// lists-C: counts of edges of rank 0, 1 and 2 as LEB128, then of each edge in order its target
/// (below `cores` the distinct core vector of that place in slot order, else a second copy) as
/// difference from the list's own place, and its distance code as difference from that before;
/// zigzagged LEB128 both.
void append_list(std::uint32_t place, std::span<const RankedEdge> edges,
                 std::vector<std::byte>& out);
/// Reads one list from `at`, which must begin before `end`; false when it is malformed. Targets are
/// below `targets`.
bool take_list(const std::byte*& at, const std::byte* end, std::uint32_t place,
               std::uint64_t targets, std::vector<RankedEdge>& edges);

/// inbox-C: the row of a second copy, u32; the number of edges, u8; then of each its target, a slot
/// of cell C, u32; distance code, u16; rank, u8.
struct Offer {
  std::uint32_t row = 0;
  std::vector<RankedEdge> edges;
};
void append_offer(std::uint32_t row, std::span<const RankedEdge> edges,
                  std::vector<std::byte>& out);
bool take_offer(const std::byte*& at, const std::byte* end, Offer& offer);

}  // namespace cairn::build
