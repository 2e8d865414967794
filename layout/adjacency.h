// The code of one adjacency list inside a node block: the first target as a zigzag difference from
// its owner, then each gap less 1, in LEB128. Internal to layout/; see FORMAT.md, Adjacency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::layout {

/// 35 bits: a zigzagged 33-bit difference, and every gap.
inline constexpr std::size_t kLebBytesMax = 5;
/// A decoder may read this far beyond a list.
inline constexpr std::size_t kAdjacencyPadBytes = 8;

/// Writes the list at `at` and returns its end. The room is adjacency_bytes(owner, targets).
std::byte* put_adjacency(std::byte* at, std::uint32_t owner,
                         std::span<const std::uint32_t> targets);

struct DecodedList {
  std::uint32_t degree = 0;
  const char* fault = nullptr;  // what is wrong with the list, or null
};

/// Decodes the `bytes` > 0 bytes at `list`, followed by kAdjacencyPadBytes readable ones, into
/// `targets` (room for kDegreeMax). Every target is below `slot_count`, ascending. O(bytes).
DecodedList decode_adjacency(const std::byte* list, std::size_t bytes, std::uint32_t owner,
                             std::uint64_t slot_count, std::uint32_t* targets);

}  // namespace cairn::layout
