#include "layout/node_block.h"

#include <cassert>
#include <cstring>
#include <string>

#include "layout/adjacency.h"
#include "layout/page.h"

namespace cairn::layout {
namespace {

[[gnu::cold, gnu::noinline]] tl::unexpected<Error> bad_block(std::uint32_t first_slot,
                                                             std::string found,
                                                             std::string expected) {
  return fail({.code = ErrorCode::corrupt,
               .what = "open node block of slot " + std::to_string(first_slot),
               .found = std::move(found),
               .expected = std::move(expected)});
}

[[gnu::cold, gnu::noinline]] tl::unexpected<Error> bad_list(std::uint32_t owner,
                                                            const char* fault) {
  return fail({.code = ErrorCode::corrupt,
               .what = "decode adjacency of slot " + std::to_string(owner),
               .found = fault,
               .expected = "ascending slots of the segment"});
}

std::uint64_t places_mask(std::uint32_t slots) {
  return slots == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << slots) - 1;
}

BlockHeader read_header(std::span<const std::byte> page) {
  BlockHeader header;
  std::memcpy(&header, page.data(), sizeof header);
  return header;
}

std::uint32_t end_at(const BlockShape& shape, std::span<const std::byte> page,
                     std::uint32_t place) {
  std::uint16_t end;
  std::memcpy(&end, page.data() + shape.ends_at() + std::size_t{place} * 2, sizeof end);
  return end;
}

/// Ends ascend to `adjacency_bytes` within the capacity, and an empty place has no edges. Without a
/// branch a place: it runs for every block that is read.
bool ends_hold(const BlockShape& shape, std::span<const std::byte> page,
               const BlockHeader& header) {
  std::uint32_t begin = 0;
  bool hold = header.adjacency_bytes <= shape.adjacency_capacity();
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    const std::uint32_t end = end_at(shape, page, place);
    const bool occupied = ((header.occupied >> place) & 1) != 0;
    hold &= (end == begin) | ((end > begin) & occupied);
    begin = end;
  }
  return hold & (begin == header.adjacency_bytes);
}

bool header_holds(const BlockShape& shape, const BlockHeader& header, std::uint32_t first_slot) {
  std::uint64_t reserved = 0;
  for (const std::uint64_t word : header.reserved) reserved |= word;
  return header.first_slot == first_slot && reserved == 0 &&
         (header.occupied & ~places_mask(shape.slots)) == 0;
}

/// Names the first thing wrong in a block that open() refuses.
[[gnu::cold, gnu::noinline]] tl::unexpected<Error> explain(const BlockShape& shape,
                                                           std::span<const std::byte> page,
                                                           std::uint32_t first_slot) {
  if (!shape.valid() || page.size() != shape.block_bytes)
    return bad_block(first_slot, std::to_string(page.size()) + " bytes",
                     std::to_string(shape.block_bytes) + " bytes of a valid shape");
  const BlockHeader header = read_header(page);
  if (header.first_slot != first_slot)
    return bad_block(first_slot, "first slot " + std::to_string(header.first_slot),
                     std::to_string(first_slot));
  if ((header.occupied & ~places_mask(shape.slots)) != 0)
    return bad_block(first_slot, "an occupied place beyond the last",
                     std::to_string(shape.slots) + " places");
  if (!header_holds(shape, header, first_slot))
    return bad_block(first_slot, "reserved bytes in use", "zeros");
  if (header.adjacency_bytes > shape.adjacency_capacity())
    return bad_block(first_slot, std::to_string(header.adjacency_bytes) + " bytes of adjacency",
                     "at most " + std::to_string(shape.adjacency_capacity()));
  std::uint32_t begin = 0;
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    const std::uint32_t end = end_at(shape, page, place);
    const std::string found =
        "adjacency of place " + std::to_string(place) + " ends at " + std::to_string(end);
    if (end < begin) return bad_block(first_slot, found, "at least " + std::to_string(begin));
    if (end != begin && ((header.occupied >> place) & 1) == 0)
      return bad_block(first_slot, found, std::to_string(begin) + ", for the place is empty");
    begin = end;
  }
  return bad_block(first_slot, "last adjacency ends at " + std::to_string(begin),
                   std::to_string(header.adjacency_bytes));
}

}  // namespace

bool BlockShape::valid() const {
  if (block_bytes < kPageBytes || block_bytes > kBlockBytesMax || block_bytes % kPageBytes != 0)
    return false;
  if (slots == 0 || slots > kSlotsPerBlockMax) return false;
  if (row_bytes == 0 || row_bytes > kBlockBytesMax) return false;
  return adjacency_at() <= block_bytes;  // no overflow: 64 rows of 1 MiB are 2^26
}

BlockWriter::BlockWriter(const BlockShape& shape, std::span<std::byte> page,
                         std::uint32_t first_slot)
    : shape_(shape), page_(page) {
  assert(shape.valid() && page.size() == shape.block_bytes);
  std::memset(page_.data(), 0, page_.size());
  std::memcpy(page_.data() + offsetof(BlockHeader, first_slot), &first_slot, sizeof first_slot);
}

void BlockWriter::put(std::uint32_t place, const void* vector, Label label, float inverse_norm,
                      std::span<const std::uint32_t> targets) {
  assert(place >= next_place_ && place < shape_.slots && targets.size() <= kDegreeMax);
  close_through(place);
  std::byte* const base = page_.data();
  BlockHeader header = read_header(page_);
  assert(((header.occupied >> place) & 1) == 0);
  header.occupied |= std::uint64_t{1} << place;
  std::memcpy(base, &header, sizeof header);
  std::memcpy(base + sizeof header + std::size_t{place} * shape_.row_bytes, vector,
              shape_.row_bytes);
  std::memcpy(base + shape_.labels_at() + std::size_t{place} * 8, &label, sizeof label);
  if (shape_.has_norms)
    std::memcpy(base + shape_.norms_at() + std::size_t{place} * 4, &inverse_norm,
                sizeof inverse_norm);
  const std::uint32_t owner = header.first_slot + place;
  assert(adjacency_end_ + adjacency_bytes(owner, targets) <= shape_.adjacency_capacity());
  const std::byte* const end =
      put_adjacency(base + shape_.adjacency_at() + adjacency_end_, owner, targets);
  adjacency_end_ = static_cast<std::uint32_t>(end - base) - shape_.adjacency_at();
}

void BlockWriter::close_through(std::uint32_t place) {
  const auto end = static_cast<std::uint16_t>(adjacency_end_);
  for (; next_place_ < place; ++next_place_)
    std::memcpy(page_.data() + shape_.ends_at() + std::size_t{next_place_} * 2, &end, sizeof end);
}

void BlockWriter::finish() {
  close_through(shape_.slots);
  std::memcpy(page_.data() + offsetof(BlockHeader, adjacency_bytes), &adjacency_end_,
              sizeof adjacency_end_);
}

Result<BlockView> BlockView::open(const BlockShape& shape, std::span<const std::byte> page,
                                  std::uint32_t first_slot) {
  if (!shape.valid() || page.size() != shape.block_bytes) return explain(shape, page, first_slot);
  const BlockHeader header = read_header(page);
  if (!header_holds(shape, header, first_slot) || !ends_hold(shape, page, header))
    return explain(shape, page, first_slot);
  return BlockView(shape, page, header.occupied, first_slot);
}

std::uint32_t BlockView::end_of(std::uint32_t place) const { return end_at(shape_, page_, place); }

Label BlockView::label(std::uint32_t place) const {
  Label label;
  std::memcpy(&label, page_.data() + shape_.labels_at() + std::size_t{place} * 8, sizeof label);
  return label;
}

float BlockView::inverse_norm(std::uint32_t place) const {
  if (!shape_.has_norms) return 1.0F;
  float norm;
  std::memcpy(&norm, page_.data() + shape_.norms_at() + std::size_t{place} * 4, sizeof norm);
  return norm;
}

std::uint32_t BlockView::adjacency_bytes_used() const { return end_of(shape_.slots - 1); }

Result<std::uint32_t> BlockView::neighbors(std::uint32_t place, std::uint64_t slot_count,
                                           std::span<std::uint32_t, kDegreeMax> targets) const {
  assert(place < shape_.slots);
  const std::uint32_t begin = place == 0 ? 0 : end_of(place - 1);
  const std::uint32_t bytes = end_of(place) - begin;
  if (bytes == 0) return 0U;
  const std::uint32_t owner = first_slot_ + place;
  const std::size_t at = std::size_t{shape_.adjacency_at()} + begin;
  DecodedList decoded;
  if (at + bytes + kAdjacencyPadBytes <= page_.size()) {
    decoded = decode_adjacency(page_.data() + at, bytes, owner, slot_count, targets.data());
  } else if (bytes <= kLebBytesMax * kDegreeMax) {
    std::byte copy[kLebBytesMax * kDegreeMax + kAdjacencyPadBytes];
    std::memcpy(copy, page_.data() + at, bytes);
    std::memset(copy + bytes, 0, kAdjacencyPadBytes);
    decoded = decode_adjacency(copy, bytes, owner, slot_count, targets.data());
  } else {
    decoded.fault = "a longer list than 512 edges need";
  }
  if (decoded.fault != nullptr) return bad_list(owner, decoded.fault);
  return decoded.degree;
}

}  // namespace cairn::layout
