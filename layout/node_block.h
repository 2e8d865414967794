// Node blocks: vectors, labels and adjacency of up to `slots` nodes in one page-aligned block. The
// vectors stand first, in one 64-byte-aligned array, so that they are scored in the I/O buffer.
// See FORMAT.md, Node blocks. Nothing outside this header computes an offset into a block.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace cairn::layout {

inline constexpr std::uint32_t kSlotsPerBlockMax = 64;
inline constexpr std::uint32_t kDegreeMax = 512;
inline constexpr std::uint32_t kNoSlot = 0xffff'ffffu;
inline constexpr std::uint32_t kBlockBytesMax = 1u << 20;
inline constexpr std::uint32_t kAdjacencyBytesMax = 0xffff;  // what a u16 end can say

struct BlockHeader {
  std::uint64_t checksum;  // the page's
  std::uint64_t occupied;  // bit p: place p holds a vector
  std::uint32_t first_slot;
  std::uint32_t adjacency_bytes;
  std::uint64_t reserved[5];
};
static_assert(sizeof(BlockHeader) == 64);
static_assert(std::has_unique_object_representations_v<BlockHeader>);

/// Where things stand in a block; the same for every block of a segment.
///   0                header
///   64               vectors      slots x row_bytes
///   labels_at        labels       slots x 8
///   norms_at         inverse norms slots x 4 (Metric::cosine only)
///   ends_at          u16 end of each place's adjacency, relative to adjacency_at
///   adjacency_at     delta-coded out-edges, place after place
struct BlockShape {
  std::uint32_t block_bytes = 0;
  std::uint32_t slots = 0;
  std::uint32_t row_bytes = 0;
  bool has_norms = false;

  std::uint32_t labels_at() const { return (64 + slots * row_bytes + 7) & ~7u; }
  std::uint32_t norms_at() const { return labels_at() + slots * 8; }
  std::uint32_t ends_at() const { return norms_at() + (has_norms ? slots * 4 : 0); }
  std::uint32_t adjacency_at() const { return ends_at() + slots * 2; }
  std::uint32_t adjacency_capacity() const {
    return std::min(block_bytes - adjacency_at(), kAdjacencyBytesMax);
  }
  /// Whether the fixed part fits; call before the others on untrusted values.
  bool valid() const;
};

/// Bytes of the encoded list of `owner`; targets ascending, distinct.
std::size_t adjacency_bytes(std::uint32_t owner, std::span<const std::uint32_t> targets);

/// Writes one block of a segment.
class BlockWriter {
 public:
  /// `page`: shape.block_bytes bytes, zeroed here.
  BlockWriter(const BlockShape& shape, std::span<std::byte> page, std::uint32_t first_slot);
  /// Places must be filled in ascending order; targets ascending and distinct. The caller has
  /// made the lists fit (asserted). `inverse_norm` is stored for cosine.
  void put(std::uint32_t place, const void* vector, Label label, float inverse_norm,
           std::span<const std::uint32_t> targets);
  /// Closes the table of ends; the page still has to be sealed.
  void finish();

 private:
  void close_through(std::uint32_t place);

  BlockShape shape_;
  std::span<std::byte> page_;
  std::uint32_t next_place_ = 0;
  std::uint32_t adjacency_end_ = 0;
};

/// A verified block, not owned. open() checks everything that the accessors rely on, in O(slots).
class BlockView {
 public:
  static Result<BlockView> open(const BlockShape& shape, std::span<const std::byte> page,
                                std::uint32_t first_slot);
  bool occupied(std::uint32_t place) const { return (occupied_ >> place) & 1u; }
  std::uint64_t occupied_mask() const { return occupied_; }
  const std::byte* vector(std::uint32_t place) const {
    return page_.data() + 64 + std::size_t{place} * shape_.row_bytes;
  }
  Label label(std::uint32_t place) const;
  float inverse_norm(std::uint32_t place) const;  // 1 unless has_norms
  std::uint32_t adjacency_bytes_used() const;
  /// Decodes the out-edges of `place` into `targets` (room for kDegreeMax); every target is below
  /// `slot_count`, ascending. Returns the degree, or corrupt.
  Result<std::uint32_t> neighbors(std::uint32_t place, std::uint64_t slot_count,
                                  std::span<std::uint32_t, kDegreeMax> targets) const;

 private:
  BlockView(const BlockShape& shape, std::span<const std::byte> page, std::uint64_t occupied,
            std::uint32_t first_slot)
      : shape_(shape), page_(page), occupied_(occupied), first_slot_(first_slot) {}
  std::uint32_t end_of(std::uint32_t place) const;

  BlockShape shape_;
  std::span<const std::byte> page_;
  std::uint64_t occupied_;
  std::uint32_t first_slot_;
};

}  // namespace cairn::layout
