#include "engine/search/reach.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <utility>

#include "io/aligned_buffer.h"
#include "io/page_file.h"

namespace cairn::search {
namespace {

constexpr std::size_t kChunkBytes = 1u << 20;
/// Where fewer of a chunk's blocks than one in this many are needed, they are read one by one.
constexpr std::uint32_t kSparse = 8;

/// Blocks that follow each other both on disk and in slots.
struct Chunk {
  const io::ReadFile* file;
  io::PageFileId id;
  std::uint64_t first_block;
  std::uint32_t first_slot;
  std::uint32_t blocks;
};

class Walk {
 public:
  static Result<std::unique_ptr<Walk>> open(const IndexFolder& folder,
                                            const layout::SegmentRecord& segment, bool direct) {
    const layout::Manifest& manifest = folder.manifest();
    const layout::BlockShape shape = manifest.block_shape(segment);
    std::unique_ptr<Walk> walk(new Walk(shape, segment.slot_count));
    const std::uint64_t at_once = std::max<std::size_t>(1, kChunkBytes / shape.block_bytes);
    for (const auto* record : manifest.files_of(segment.segment, layout::Role::blocks)) {
      CAIRN_ASSIGN(auto file, folder.open_file(*record, direct));
      for (const layout::ExtentRecord& extent : manifest.extents_of(segment.segment)) {
        if (extent.blocks_file != record->number) continue;
        const std::uint64_t blocks = extent.slot_count / shape.slots;
        for (std::uint64_t b = 0; b < blocks; b += at_once)
          walk->chunks_.push_back(
              {.file = file.get(),
               .id = page_file_id(*record),
               .first_block = extent.first_block + b,
               .first_slot = static_cast<std::uint32_t>(extent.first_slot + b * shape.slots),
               .blocks = static_cast<std::uint32_t>(std::min(at_once, blocks - b))});
      }
      walk->files_.push_back(std::move(file));
    }
    CAIRN_ASSIGN(walk->buffer_, io::AlignedBuffer::create(at_once * shape.block_bytes));
    return walk;
  }

  void reach(std::uint32_t slot) { reached_.set(slot); }
  SlotBits take() { return std::move(reached_); }

  /// Sweeps until nothing is left to expand.
  Status run() {
    for (bool found = true; found; std::ranges::reverse(chunks_)) {
      found = false;
      for (const Chunk& chunk : chunks_) CAIRN_TRY(expand_chunk(chunk, found));
    }
    return {};
  }

 private:
  Walk(const layout::BlockShape& shape, std::uint64_t slot_count)
      : shape_(shape), slot_count_(slot_count), reached_(slot_count), expanded_(slot_count) {}

  bool pending(std::uint32_t slot) const { return reached_.test(slot) && !expanded_.test(slot); }
  bool block_pending(const Chunk& chunk, std::uint32_t block) const {
    const std::uint32_t first = chunk.first_slot + block * shape_.slots;
    for (std::uint32_t place = 0; place < shape_.slots; ++place)
      if (pending(first + place)) return true;
    return false;
  }

  Status expand_chunk(const Chunk& chunk, bool& found) {
    std::uint32_t needed = 0;
    for (std::uint32_t block = 0; block < chunk.blocks; ++block)
      needed += block_pending(chunk, block) ? 1 : 0;
    if (needed == 0) return {};
    found = true;
    const bool whole = needed >= (chunk.blocks + kSparse - 1) / kSparse;
    if (whole)
      CAIRN_TRY(
          io::read_pages(*chunk.file, chunk.id, chunk.first_block, chunk.blocks, buffer_.bytes()));
    for (bool again = true; again;) {
      again = false;
      for (std::uint32_t block = 0; block < chunk.blocks; ++block) {
        if (!block_pending(chunk, block)) continue;
        CAIRN_TRY(expand_block(chunk, block, whole));
        again = whole;
      }
    }
    return {};
  }

  Status expand_block(const Chunk& chunk, std::uint32_t block, bool in_buffer) {
    const std::uint32_t block_bytes = shape_.block_bytes;
    auto page =
        buffer_.bytes().subspan(in_buffer ? std::size_t{block} * block_bytes : 0, block_bytes);
    if (!in_buffer)
      CAIRN_TRY(io::read_pages(*chunk.file, chunk.id, chunk.first_block + block, 1, page));
    const std::uint32_t first_slot = chunk.first_slot + block * shape_.slots;
    CAIRN_ASSIGN(const auto view, layout::BlockView::open(shape_, page, first_slot));
    for (bool again = true; again;) {
      again = false;
      for (std::uint32_t place = 0; place < shape_.slots; ++place) {
        if (!pending(first_slot + place)) continue;
        expanded_.set(first_slot + place);
        again = true;
        CAIRN_ASSIGN(const std::uint32_t degree, view.neighbors(place, slot_count_, targets_));
        for (std::uint32_t i = 0; i < degree; ++i) reached_.set(targets_[i]);
      }
    }
    return {};
  }

  layout::BlockShape shape_;
  std::uint64_t slot_count_;
  SlotBits reached_;
  SlotBits expanded_;
  std::vector<std::unique_ptr<io::ReadFile>> files_;
  std::vector<Chunk> chunks_;
  io::AlignedBuffer buffer_;
  std::array<std::uint32_t, layout::kDegreeMax> targets_;
};

}  // namespace

MissingSlots missing_slots(const SlotBits& of, const SlotBits& in) {
  MissingSlots missing;
  for (std::size_t w = 0; w < of.words(); ++w) {
    const std::uint64_t bits = of.word(w) & ~in.word(w);
    if (bits != 0 && missing.count == 0)
      missing.first =
          static_cast<std::uint32_t>(w * 64) + static_cast<std::uint32_t>(std::countr_zero(bits));
    missing.count += static_cast<std::uint64_t>(std::popcount(bits));
  }
  return missing;
}

Result<SlotBits> reachable_slots(const IndexFolder& folder, const layout::SegmentRecord& segment,
                                 const layout::Entries& entries, bool direct) {
  CAIRN_ASSIGN(const auto walk, Walk::open(folder, segment, direct));
  for (const auto* table : {&entries.heads, &entries.slots})
    for (const std::uint32_t slot : *table) walk->reach(slot);
  CAIRN_TRY(walk->run());
  return walk->take();
}

}  // namespace cairn::search
