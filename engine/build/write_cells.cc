#include "engine/build/write_cells.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/math/distance.h"
#include "io/aligned_buffer.h"
#include "layout/page.h"

namespace cairn::build {
namespace {

using layout::Role;

constexpr std::size_t kBlocksPerTask = 32;

/// Raw vectors and labels of consecutive slots.
struct Window {
  std::uint64_t first_slot = 0;
  std::vector<std::byte> vectors;
  std::vector<Label> labels;
};

class CellWriter {
 public:
  CellWriter(const Job& job, const IndexParts& parts, const IndexFiles& files)
      : job_(job), parts_(parts), files_(files), row_bytes_(job.space.raw_row_bytes()) {}

  Status run() {
    if (files_.finished(Role::blocks)) return {};
    std::uint32_t cell = 0;
    while (cell < parts_.plan.cells() && job_.journal.find(Unit::write, cell) != nullptr) ++cell;
    CAIRN_TRY(open(cell));
    for (; cell < parts_.plan.cells(); ++cell) {
      CAIRN_TRY(write_cell(cell));
      CAIRN_TRY(commit(cell));
      CAIRN_TRY(job_.report("write", parts_.plan.begin(cell) + parts_.plan.places(cell),
                            parts_.plan.total()));
    }
    CAIRN_TRY(finish());
    // Once more: a run that was cut off behind its last record has left them.
    for (cell = 0; cell < parts_.plan.cells(); ++cell) CAIRN_TRY(remove_sources(cell));
    return {};
  }

 private:
  struct Output {
    IndexFile file;
    std::uint32_t page_bytes;
    const math::Codebook* book;  // null for blocks
    std::optional<io::PageWriter> writer;
  };

  /// New files, or those that the unit before `cell` left.
  Status open(std::uint32_t cell) {
    outputs_.push_back({Role::blocks, parts_.shape.block_bytes, nullptr, {}});
    outputs_.push_back({Role::codes, layout::kPageBytes, &parts_.books.base, {}});
    for (std::uint32_t layer = 0; layer < parts_.books.layers.size(); ++layer)
      outputs_.push_back(
          {{Role::refine, layer}, layout::kPageBytes, &parts_.books.layers[layer], {}});
    const Journal::Words* state = cell == 0 ? nullptr : job_.journal.find(Unit::write, cell - 1);
    std::size_t at = 0;
    for (Output& output : outputs_) {
      // One of the files may be finished already when the run was cut off between them.
      if (files_.finished(output.file)) {
        if (state != nullptr) CAIRN_TRY(take_state(*state, at, job_.journal.path()));
        continue;
      }
      if (state == nullptr) {
        CAIRN_ASSIGN(output.writer, files_.create(output.file, output.page_bytes));
        CAIRN_TRY(begin_codes(output));
      } else {
        CAIRN_ASSIGN(const io::PageWriterState left, take_state(*state, at, job_.journal.path()));
        CAIRN_ASSIGN(output.writer, files_.resume(output.file, output.page_bytes, left));
      }
    }
    return {};
  }

  Status begin_codes(Output& output) const {
    if (output.book == nullptr) return {};
    const math::Codebook& codebook = *output.book;
    const layout::CodesHeader header{
        .dim = codebook.shape.dim, .m = codebook.shape.m, .count = parts_.plan.total()};
    CAIRN_TRY(output.writer->append_stream(std::as_bytes(std::span(&header, 1))));
    return output.writer->append_stream(std::as_bytes(std::span(codebook.centroids)));
  }

  Status commit(std::uint32_t cell) {
    Journal::Words words;
    for (Output& output : outputs_) {
      CAIRN_ASSIGN(const io::PageWriterState state, output.writer->checkpoint());
      append_state(state, words);
    }
    CAIRN_TRY(job_.journal.append(Unit::write, cell, std::move(words)));
    return remove_sources(cell);
  }

  Status remove_sources(std::uint32_t cell) const {
    CAIRN_TRY(job_.temp.remove(GraphFiles::name(cell)));
    return parts_.scattered.release(Copy::core, cell);
  }

  Status finish() {
    // Blocks last: their record says that all are whole.
    for (auto output = outputs_.rbegin(); output != outputs_.rend(); ++output)
      if (output->writer)
        CAIRN_TRY(files_.finish(output->file, output->page_bytes, *output->writer));
    return {};
  }

  Status write_cell(std::uint32_t cell) {
    const auto [first, last] = parts_.graph.chunks_of(cell);
    for (std::uint32_t chunk = first; chunk < last; ++chunk) {
      const std::uint64_t end = parts_.graph.first_slot(chunk) + parts_.graph.count(chunk);
      if (chunk == first || end > window_.first_slot + window_.labels.size())
        CAIRN_TRY(load_window(cell, parts_.graph.first_slot(chunk)));
      CAIRN_ASSIGN(ListChunk lists, parts_.graph.read(chunk));
      parts_.pins.apply(parts_.shape, lists);
      CAIRN_TRY(write_blocks(cell, lists));
      CAIRN_TRY(write_codes(cell, lists));
    }
    return {};
  }

  /// From `first_slot` on as many chunks of the cell as the window holds, one at least.
  Status load_window(std::uint32_t cell, std::uint64_t first_slot) {
    const std::uint64_t end_of_cell = parts_.plan.begin(cell) + parts_.plan.places(cell);
    const std::uint64_t chunk_slots = parts_.graph.shape().chunk_slots;
    const std::uint64_t chunks =
        std::max<std::uint64_t>(1, parts_.window_bytes / ((row_bytes_ + 8) * chunk_slots));
    const std::uint64_t slots = std::min(chunks * chunk_slots, end_of_cell - first_slot);
    window_.first_slot = first_slot;
    window_.vectors.assign(slots * row_bytes_, std::byte{0});
    window_.labels.assign(slots, 0);
    const RecordShape& shape = parts_.scattered.shape();
    const std::size_t record = shape.bytes(Copy::core);
    return parts_.scattered.read(Copy::core, cell, [&](std::span<const std::byte> records) {
      for (; !records.empty(); records = records.subspan(record)) {
        const std::uint64_t at = parts_.slot_of_row[RecordShape::row(records.data())] - first_slot;
        if (at >= slots) continue;  // wraps far off when before the window
        std::memcpy(window_.vectors.data() + at * row_bytes_,
                    shape.vector(Copy::core, records.data()), row_bytes_);
        window_.labels[at] = shape.label(records.data());
      }
    });
  }

  const std::byte* vector(std::uint64_t slot) const {
    return window_.vectors.data() + (slot - window_.first_slot) * row_bytes_;
  }
  std::uint64_t end_of_vectors(std::uint32_t cell) const {
    return parts_.plan.begin(cell) + parts_.plan.slots(cell);
  }

  Status write_blocks(std::uint32_t cell, const ListChunk& lists) {
    Output& output = outputs_.front();
    const std::size_t page_bytes = parts_.shape.block_bytes;
    const std::size_t blocks = lists.count() / parts_.shape.slots;
    if (pages_.size() < blocks * page_bytes) {
      CAIRN_ASSIGN(pages_, io::AlignedBuffer::create(blocks * page_bytes));
    }
    const auto pages = pages_.bytes().first(blocks * page_bytes);
    job_.workers.each(blocks, kBlocksPerTask,
                      [&](std::size_t begin, std::size_t end, std::uint32_t) {
                        for (std::size_t b = begin; b < end; ++b) {
                          const auto page = pages.subspan(b * page_bytes, page_bytes);
                          encode_block(cell, lists, b, page);
                          layout::seal_page(page, output.writer->next_page(b));
                        }
                      });
    return output.writer->append_sealed(pages);
  }

  void encode_block(std::uint32_t cell, const ListChunk& lists, std::size_t block,
                    std::span<std::byte> page) const {
    const std::uint32_t places = parts_.shape.slots;
    const std::uint64_t first = lists.first_slot() + block * places;
    layout::BlockWriter writer(parts_.shape, page, static_cast<std::uint32_t>(first));
    std::vector<std::uint32_t> targets(lists.degree_max());
    for (std::uint32_t place = 0; place < places; ++place) {
      const std::uint64_t slot = first + place;
      if (slot >= end_of_vectors(cell)) break;
      const std::uint32_t degree =
          lists.row(static_cast<std::uint32_t>(slot - lists.first_slot()), targets.data());
      std::sort(targets.begin(), targets.begin() + degree);
      const VectorView row{vector(slot), job_.space.dim, job_.space.dtype};
      const float norm = parts_.shape.has_norms ? math::inverse_norm(row) : 1.0F;
      writer.put(place, row.data, window_.labels[slot - window_.first_slot], norm,
                 std::span(targets).first(degree));
    }
    writer.finish();
  }

  Status write_codes(std::uint32_t cell, const ListChunk& lists) {
    const std::uint64_t end = lists.first_slot() + lists.count();
    const std::uint64_t occupied = std::min(end, end_of_vectors(cell)) - lists.first_slot();
    const VectorBatch rows{vector(lists.first_slot()), occupied, job_.space.dim, job_.space.dtype};
    Encoded encoded = encode_rows(parts_.books, job_.space.metric, rows, job_.workers);
    for (Output& output : std::span(outputs_).subspan(1)) {
      const IndexFile& file = output.file;
      std::vector<std::byte>& codes =
          file.role == Role::codes ? encoded.base : encoded.layers[file.layer];
      codes.resize(lists.count() * output.book->shape.m);  // of empty places: zeros
      CAIRN_TRY(output.writer->append_stream(codes));
    }
    return {};
  }

  const Job& job_;
  const IndexParts& parts_;
  const IndexFiles& files_;
  std::size_t row_bytes_;
  std::vector<Output> outputs_;
  Window window_;
  io::AlignedBuffer pages_;
};

}  // namespace

Status write_cells(const Job& job, const IndexParts& parts, const IndexFiles& files) {
  return CellWriter(job, parts, files).run();
}

}  // namespace cairn::build
