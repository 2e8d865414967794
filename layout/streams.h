// Files that are loaded rather than looked into: codes, refinement, navigation, entry points. Each
// is a byte stream over sealed 4 KiB pages (8-byte checksum, 4088 bytes of stream). See FORMAT.md.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "layout/page.h"

namespace cairn::layout {

/// Roles codes and refine, one layer a file. Stream: header, codebook (256 * dim f32), codes (count
/// * m bytes) in slot order; an empty slot's code is zero.
struct CodesHeader {
  std::uint32_t dim;
  std::uint32_t m;  // bytes a code; subspace s covers [s * dim / m, (s + 1) * dim / m)
  std::uint64_t count;
};
static_assert(sizeof(CodesHeader) == 16);
static_assert(std::has_unique_object_representations_v<CodesHeader>);

struct CodesPlan {
  CodesHeader header{};
  std::uint64_t codebook_floats() const { return std::uint64_t{256} * header.dim; }
  std::uint64_t codes_at() const { return sizeof(CodesHeader) + codebook_floats() * 4; }
  std::uint64_t codes_bytes() const { return header.count * header.m; }
  std::uint64_t stream_bytes() const { return codes_at() + codes_bytes(); }
};
/// `stream_bytes` is the file's, `slot_count` the segment's: both must agree with the header.
Result<CodesPlan> decode_codes_header(std::span<const std::byte> bytes, std::uint64_t stream_bytes,
                                      std::uint64_t slot_count);

/// Role nav. Stream: header, then slices; slice s holds, for every slot, its edges of usefulness
/// rank [8 s, 8 s + 8) as 8 integers of `bits` bits: exactly `bits` bytes a slot. All ones: none;
/// a reader takes every value that is no slot (>= count) for none, since loading does not check.
inline constexpr std::uint32_t kNavEdgesPerSlice = 8;
inline constexpr std::uint32_t kNavSlicesMax = 64;
struct NavHeader {
  std::uint64_t count;
  std::uint32_t bits;
  std::uint32_t slices;
};
static_assert(sizeof(NavHeader) == 16);
static_assert(std::has_unique_object_representations_v<NavHeader>);

struct NavPlan {
  NavHeader header{};
  std::uint64_t slice_bytes() const { return header.count * header.bits; }
  std::uint64_t slice_at(std::uint32_t slice) const {
    return sizeof(NavHeader) + slice * slice_bytes();
  }
};
Result<NavPlan> decode_nav_header(std::span<const std::byte> bytes, std::uint64_t stream_bytes,
                                  std::uint64_t slot_count);
/// Smallest width whose all-ones value is no slot.
std::uint32_t nav_bits(std::uint64_t slot_count);

/// A slice in RAM carries this many bytes beyond slice_bytes(), so that decoding may read 8 at
/// once.
inline constexpr std::size_t kNavPadBytes = 8;
void nav_encode(std::span<const std::uint32_t> edges /* <= 8 */, std::uint32_t bits,
                std::span<std::byte> row /* bits bytes */);
/// Edge e (0..7) of a row, or all ones.
inline std::uint32_t nav_edge(const std::byte* row, std::uint32_t bits, std::uint32_t e) {
  const std::uint32_t at = e * bits;
  std::uint64_t word;
  __builtin_memcpy(&word, row + (at >> 3), sizeof word);
  return static_cast<std::uint32_t>((word >> (at & 7)) & ((std::uint64_t{1} << bits) - 1));
}

/// Role entries. Stream: header, heads (u32 x lists), begins (u32 x (lists + 1)), slots
/// (u32 x total): list i is headed by slot heads[i] and samples slots[begins[i] .. begins[i+1]).
struct EntriesHeader {
  std::uint32_t lists;
  std::uint32_t total;
};
static_assert(sizeof(EntriesHeader) == 8);
static_assert(std::has_unique_object_representations_v<EntriesHeader>);

struct Entries {
  std::vector<std::uint32_t> heads, begins, slots;
};
std::vector<std::byte> encode_entries(const Entries& entries);
/// Every slot is below `slot_count`, begins ascend from 0 to total.
Result<Entries> decode_entries(std::span<const std::byte> bytes, std::uint64_t slot_count);

/// Role labels: a static B+-tree of sealed pages: page 0 header, then leaves, inner pages, top
/// pages. A leaf holds ascending labels and their slots; an inner page the first label of each of
/// its leaves; the top pages the first label of each inner page and are kept in RAM.
inline constexpr std::uint32_t kLabelsPerLeaf = 339;
inline constexpr std::uint32_t kLabelsPerInner = 510;
struct LabelsHeader {
  std::uint64_t count;
  std::uint64_t leaves;
  std::uint64_t inners;
  std::uint64_t tops;
};
static_assert(sizeof(LabelsHeader) == 32);
static_assert(std::has_unique_object_representations_v<LabelsHeader>);

struct LabelsPlan {
  LabelsHeader header{};
  std::uint64_t leaf_page(std::uint64_t leaf) const { return 1 + leaf; }
  std::uint64_t inner_page(std::uint64_t inner) const { return 1 + header.leaves + inner; }
  std::uint64_t top_page(std::uint64_t top) const {
    return 1 + header.leaves + header.inners + top;
  }
  std::uint64_t pages() const { return 1 + header.leaves + header.inners + header.tops; }
};
/// Every page but the last of its level is full.
LabelsPlan plan_labels(std::uint64_t count);
/// Fills the unsealed page 0.
void encode_labels_header(const LabelsPlan& plan, std::span<std::byte, kPageBytes> page);
Result<LabelsPlan> decode_labels_header(std::span<const std::byte> page, std::uint64_t pages,
                                        std::uint64_t vector_count);
/// Fills one unsealed leaf page. 1 <= labels.size() == slots.size() <= kLabelsPerLeaf; labels
/// ascend.
void encode_label_leaf(std::span<const std::uint64_t> labels, std::span<const std::uint32_t> slots,
                       std::span<std::byte, kPageBytes> page);
void encode_label_inner(std::span<const std::uint64_t> firsts,
                        std::span<std::byte, kPageBytes> page);
struct LabelLeaf {
  std::vector<std::uint64_t> labels;
  std::vector<std::uint32_t> slots;
};
/// Labels ascend, each once; every slot is below `slot_count`.
Result<LabelLeaf> decode_label_leaf(std::span<const std::byte> page,
                                    std::uint64_t slot_count = 0xffff'ffffu);
Result<std::vector<std::uint64_t>> decode_label_inner(std::span<const std::byte> page);

}  // namespace cairn::layout
