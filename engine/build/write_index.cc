#include "engine/build/write_index.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "engine/build/index_files.h"
#include "engine/build/label_runs.h"
#include "engine/build/publish_manifest.h"
#include "engine/build/write_cells.h"
#include "engine/math/distance.h"
#include "io/aligned_buffer.h"
#include "layout/page.h"

namespace cairn::build {
namespace {

using layout::Role;

constexpr std::uint32_t kEdges = layout::kNavEdgesPerSlice;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// ---- navigation

class NavWriter {
 public:
  NavWriter(const Job& job, const IndexParts& parts) : job_(job), parts_(parts) {}

  Status run(const IndexFiles& files) {
    if (files.finished(Role::nav)) return {};
    CAIRN_ASSIGN(auto writer, files.create(Role::nav, layout::kPageBytes));
    const std::uint32_t slices =
        std::min((job_.options.nav_edges + kEdges - 1) / kEdges, parts_.graph.shape().slices());
    const layout::NavHeader header{
        .count = parts_.plan.total(), .bits = parts_.graph.shape().bits, .slices = slices};
    CAIRN_TRY(writer.append_stream(bytes_of(header)));
    for (const std::uint32_t slot : parts_.pins.sources())
      pinned_.insert(parts_.graph.chunk_of(slot));
    std::vector<std::byte> rows;
    for (std::uint32_t slice = 0; slice < slices; ++slice)
      for (std::uint32_t chunk = 0; chunk < parts_.graph.chunks(); ++chunk) {
        CAIRN_TRY(parts_.graph.read_slice(chunk, slice, rows));
        if (pinned_.contains(chunk)) CAIRN_TRY(patch(chunk, slice, rows));
        CAIRN_TRY(writer.append_stream(rows));
        CAIRN_TRY(job_.report("navigation",
                              slice * parts_.plan.total() + parts_.graph.first_slot(chunk),
                              slices * parts_.plan.total()));
      }
    return files.finish(Role::nav, layout::kPageBytes, writer);
  }

 private:
  /// Lists of the blocks that the repair changed: few.
  Status patch(std::uint32_t number, std::uint32_t slice, std::span<std::byte> rows) const {
    CAIRN_ASSIGN(ListChunk chunk, parts_.graph.read(number));
    parts_.pins.apply(parts_.shape, chunk);
    const std::uint32_t bits = parts_.graph.shape().bits;
    for (const auto& [i, list] : chunk.replaced()) {
      const std::size_t from = std::min<std::size_t>(list.size(), slice * kEdges);
      const std::size_t count = std::min<std::size_t>(list.size() - from, kEdges);
      layout::nav_encode(std::span(list).subspan(from, count), bits,
                         rows.subspan(std::size_t{i} * bits, bits));
    }
    return {};
  }

  const Job& job_;
  const IndexParts& parts_;
  std::set<std::uint32_t> pinned_;  // chunks
};

// ---- entries, labels

Status write_entries(const IndexParts& parts, const IndexFiles& files) {
  if (files.finished(Role::entries)) return {};
  CAIRN_ASSIGN(auto writer, files.create(Role::entries, layout::kPageBytes));
  CAIRN_TRY(writer.append_stream(layout::encode_entries(parts.entries)));
  return files.finish(Role::entries, layout::kPageBytes, writer);
}

/// Pages of the tree of labels from (label, slot) pairs in the order of labels.
class LabelWriter {
 public:
  LabelWriter(io::PageWriter& writer, std::uint64_t count)
      : writer_(writer), plan_(layout::plan_labels(count)) {}

  Status begin() {
    CAIRN_ASSIGN(buffer_, io::AlignedBuffer::create(kPagesAtOnce * layout::kPageBytes));
    layout::encode_labels_header(plan_, page());
    return append();
  }
  Status add(Label label, std::uint32_t slot) {
    if (labels_.size() == layout::kLabelsPerLeaf) CAIRN_TRY(flush_leaf());
    labels_.push_back(label);
    slots_.push_back(slot);
    return {};
  }
  Status end() {
    CAIRN_TRY(flush_leaf());
    for (int level = 0; level < 2; ++level) {  // inner pages over leaves, top pages over inner ones
      std::vector<Label> above;
      for (std::size_t at = 0; at < firsts_.size(); at += layout::kLabelsPerInner) {
        const auto part = std::span<const Label>(firsts_).subspan(
            at, std::min<std::size_t>(layout::kLabelsPerInner, firsts_.size() - at));
        above.push_back(part.front());
        layout::encode_label_inner(part, page());
        CAIRN_TRY(append());
      }
      firsts_ = std::move(above);
    }
    return flush();
  }

 private:
  std::span<std::byte, layout::kPageBytes> page() {
    return buffer_.bytes().subspan(pages_ * layout::kPageBytes).first<layout::kPageBytes>();
  }
  Status append() {
    layout::seal_page(page(), writer_.next_page(pages_));
    return ++pages_ == kPagesAtOnce ? flush() : Status{};
  }
  Status flush() {
    const auto pages = buffer_.bytes().first(pages_ * layout::kPageBytes);
    pages_ = 0;
    return writer_.append_sealed(pages);
  }
  Status flush_leaf() {
    firsts_.push_back(labels_.front());
    layout::encode_label_leaf(labels_, slots_, page());
    labels_.clear();
    slots_.clear();
    return append();
  }

  io::PageWriter& writer_;
  layout::LabelsPlan plan_;
  static constexpr std::size_t kPagesAtOnce = 256;
  io::AlignedBuffer buffer_;
  std::size_t pages_ = 0;  // in the buffer
  std::vector<Label> labels_, firsts_;
  std::vector<std::uint32_t> slots_;
};

Status write_labels(const Job& job, const IndexParts& parts, const IndexFiles& files) {
  if (!files.finished(Role::labels)) {
    CAIRN_ASSIGN(auto writer, files.create(Role::labels, layout::kPageBytes));
    LabelWriter labels(writer, job.count);
    CAIRN_TRY(labels.begin());
    if (job.labelled) {
      CAIRN_TRY(
          merge_label_runs(job, parts.scattered.unit_rows(), [&](Label label, std::uint32_t row) {
            return labels.add(label, parts.slot_of_row[row]);
          }));
    } else {
      for (std::uint64_t row = 0; row < job.count; ++row)
        CAIRN_TRY(labels.add(row, parts.slot_of_row[row]));
    }
    CAIRN_TRY(labels.end());
    CAIRN_TRY(files.finish(Role::labels, layout::kPageBytes, writer));
  }
  return job.labelled ? remove_label_runs(job, parts.scattered.unit_rows()) : Status{};
}

// ---- manifest

layout::Manifest make_manifest(const Job& job, const IndexParts& parts, const IndexFiles& files) {
  layout::Manifest manifest;
  manifest.files = files.records();
  layout::ManifestHeader& header = manifest.header;
  header.sequence = 1;
  if (parts.books.layers.size() > 1) header.incompatible = layout::kRefinementInLayers;
  header.index_id = parts.index_id;
  header.next_file_number = manifest.files.size() + 1;
  header.seed = job.options.seed;
  header.dim = job.space.dim;
  header.dtype = static_cast<std::uint8_t>(job.space.dtype);
  header.metric = static_cast<std::uint8_t>(job.space.metric);
  const std::string_view path = math::kernel_path();
  std::memcpy(header.kernel_path, path.data(), std::min(path.size(), sizeof header.kernel_path));
  std::uint64_t first_block = 0;
  for (std::uint32_t cell = 0; cell < parts.plan.cells(); ++cell) {
    if (parts.plan.places(cell) == 0) continue;
    manifest.extents.push_back({.segment = kSegment,
                                .first_slot = parts.plan.begin(cell),
                                .slot_count = parts.plan.places(cell),
                                .blocks_file = static_cast<std::uint64_t>(Role::blocks),
                                .first_block = first_block,
                                .codebook_version = 1,
                                .reserved = 0});
    first_block += parts.plan.places(cell) / parts.shape.slots;
  }
  manifest.segments.push_back(
      {.segment = kSegment,
       .slot_count = parts.plan.total(),
       .vector_count = job.count,
       .edge_count = parts.edges,
       .dropped_edges = parts.dropped,
       .slots_per_block = parts.shape.slots,
       .block_bytes = parts.shape.block_bytes,
       .degree_max = job.options.degree,
       .code_bytes = parts.books.base.shape.m,
       .refine_bytes = parts.books.refine_bytes(),
       .extent_count = static_cast<std::uint32_t>(manifest.extents.size())});
  return manifest;
}

}  // namespace

Result<layout::Manifest> write_index(const Job& job, const IndexParts& parts) {
  const IndexFiles files(job, parts.index_id, parts.books.layers.size());
  CAIRN_TRY(NavWriter(job, parts).run(files));
  CAIRN_TRY(write_cells(job, parts, files));
  CAIRN_TRY(write_entries(parts, files));
  CAIRN_TRY(write_labels(job, parts, files));
  io::Fs& fs = job.temp.fs();
  CAIRN_TRY(write_file(fs, job.temp.path(layout::kPinsName), {}));
  return publish_manifest(fs, job.temp.folder(), make_manifest(job, parts, files));
}

}  // namespace cairn::build
