#include "engine/search/vector_scan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cairn::search {
namespace {

constexpr std::size_t kReadBytes = 1u << 20;

class SnapshotScan final : public VectorScan {
 public:
  SnapshotScan(const Snapshot& snapshot, io::AlignedBuffer buffer)
      : snapshot_(snapshot), buffer_(std::move(buffer)) {}

  Result<std::size_t> next(std::span<std::byte> rows, std::span<Label> labels) override {
    const std::size_t row_bytes =
        std::size_t{snapshot_.limits().dim} * dtype_bytes(snapshot_.limits().dtype);
    const std::size_t room = std::min(rows.size() / row_bytes, labels.size());
    std::size_t count = 0;
    while (count < room && segment_ < snapshot_.segments().size()) {
      const Segment& segment = snapshot_.segments()[segment_];
      if (slot_ >= segment.slot_count) {
        ++segment_;
        slot_ = 0;
        loaded_end_ = 0;
        continue;
      }
      if (slot_ >= loaded_end_) CAIRN_TRY(load(segment));
      CAIRN_ASSIGN(const layout::BlockView view, block_of(segment));
      const std::uint32_t place = slot_ % segment.shape.slots;
      if (view.occupied(place)) {
        std::memcpy(rows.data() + count * row_bytes, view.vector(place), row_bytes);
        labels[count++] = view.label(place);
      }
      ++slot_;
    }
    return count;
  }

 private:
  /// Reads as many blocks from slot_ on as lie together and fit the buffer.
  Status load(const Segment& segment) {
    const std::uint32_t slots = segment.shape.slots;
    const io::BlockRequest first = snapshot_.locate(segment_, slot_, 0);
    const io::BlockFile& file = snapshot_.block_files()[first.file];
    const std::size_t blocks_max = buffer_.bytes().size() / file.block_bytes;
    std::size_t blocks = 1;
    for (; blocks < blocks_max && slot_ + blocks * slots < segment.slot_count; ++blocks) {
      const io::BlockRequest at =
          snapshot_.locate(segment_, static_cast<std::uint32_t>(slot_ + blocks * slots), 0);
      if (at.file != first.file || at.block != first.block + blocks) break;
    }
    CAIRN_TRY(io::read_pages(*file.file, {file.identity, file.generation, file.block_bytes},
                             first.block, blocks, buffer_.bytes()));
    loaded_begin_ = slot_;
    loaded_end_ = slot_ + blocks * slots;
    return {};
  }

  Result<layout::BlockView> block_of(const Segment& segment) const {
    const auto first = static_cast<std::uint32_t>(slot_ - slot_ % segment.shape.slots);
    const std::size_t at =
        (first - loaded_begin_) / segment.shape.slots * segment.shape.block_bytes;
    return layout::BlockView::open(segment.shape,
                                   buffer_.bytes().subspan(at, segment.shape.block_bytes), first);
  }

  const Snapshot& snapshot_;
  io::AlignedBuffer buffer_;
  std::uint32_t segment_ = 0;
  std::uint32_t slot_ = 0;                           // next
  std::uint64_t loaded_begin_ = 0, loaded_end_ = 0;  // slots whose blocks are in the buffer
};

}  // namespace

Result<std::unique_ptr<VectorScan>> scan_vectors(const Snapshot& snapshot) {
  const std::size_t bytes = std::max<std::size_t>(kReadBytes, snapshot.block_bytes_max());
  CAIRN_ASSIGN(auto buffer, io::AlignedBuffer::create(bytes));
  return std::make_unique<SnapshotScan>(snapshot, std::move(buffer));
}

}  // namespace cairn::search
