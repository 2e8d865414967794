#include "engine/build/write_index.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include "engine/math/distance.h"
#include "io/page_file.h"
#include "layout/page.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kSegment = 1;
constexpr std::size_t kWriteBytes = 4u << 20;  // of blocks encoded and appended at a time
constexpr std::size_t kRowsPerTask = 4096;

using layout::Role;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

std::uint64_t stream_pages(std::uint64_t bytes) {
  return (bytes + layout::kPagePayloadBytes - 1) / layout::kPagePayloadBytes;
}

/// Writes the files of one index, one after another.
class IndexWriter {
 public:
  IndexWriter(io::Fs& fs, const std::string& folder, const IndexParts& parts,
              const Workers& workers, const Tick& tick)
      : fs_(fs),
        folder_(folder),
        parts_(parts),
        workers_(workers),
        tick_(tick),
        vectors_(parts.node_of_slot.size()),
        blocks_((vectors_ + parts.shape.slots - 1) / parts.shape.slots),
        slots_(blocks_ * parts.shape.slots) {}

  Result<layout::Manifest> run() {
    CAIRN_TRY(write_blocks());
    CAIRN_TRY(write_codes(Role::codes, *parts_.codes));
    if (parts_.refine != nullptr) CAIRN_TRY(write_codes(Role::refine, *parts_.refine));
    CAIRN_TRY(write_nav());
    CAIRN_TRY(write_entries());
    CAIRN_TRY(write_labels());
    return write_manifest();
  }

 private:
  /// One file under way: what the manifest will say of it, and its writer.
  struct File {
    layout::FileRecord record;
    io::PageWriter writer;
  };
  Result<File> create(Role role, std::uint32_t page_bytes);
  Status finish(File& file);
  /// Progress in pages, `more` of them in the file under way.
  Status report(std::uint64_t more) {
    if (!tick_ || tick_("write", done_ + more, pages_)) return {};
    return fail(ErrorCode::cancelled, "build cancelled while writing");
  }
  /// Pages of all files.
  std::uint64_t count_pages() const;
  std::uint32_t degree_max() const {
    const auto& degree = parts_.graph->degree;
    return degree.empty() ? 0 : *std::max_element(degree.begin(), degree.end());
  }
  layout::CodesPlan codes_plan(const CodeTable& table) const {
    return {{.dim = table.book.shape.dim, .m = table.book.shape.m, .count = slots_}};
  }
  layout::NavPlan nav_plan() const {
    constexpr std::uint32_t kEdges = layout::kNavEdgesPerSlice;
    return {{.count = slots_,
             .bits = layout::nav_bits(slots_),
             .slices = std::max(1U, (degree_max_ + kEdges - 1) / kEdges)}};
  }

  void encode_block(std::uint64_t block, std::span<std::byte> page,
                    std::vector<std::uint32_t>& targets) const;
  Status write_blocks();
  Status write_codes(Role role, const CodeTable& table);
  Status write_nav();
  Status write_entries();
  std::vector<std::uint32_t> slots_by_label() const;
  Status write_labels();
  Result<layout::Manifest> write_manifest();
  Status write_file(const std::string& name, std::span<const std::byte> bytes);

  io::Fs& fs_;
  const std::string& folder_;
  const IndexParts& parts_;
  const Workers& workers_;
  const Tick& tick_;
  std::uint64_t vectors_, blocks_, slots_;
  std::uint32_t degree_max_ = degree_max();
  std::uint64_t pages_ = count_pages();
  std::uint64_t done_ = 0;
  layout::Manifest manifest_;
};

Result<IndexWriter::File> IndexWriter::create(Role role, std::uint32_t page_bytes) {
  layout::FileRecord record{};
  record.number = manifest_.files.size() + 1;
  record.segment = kSegment;
  record.identity = layout::file_identity(parts_.index_id, role, record.number);
  record.generation = 1;
  record.page_bytes = page_bytes;
  record.role = static_cast<std::uint16_t>(role);
  CAIRN_ASSIGN(auto writer,
               io::PageWriter::create(fs_, folder_ + "/" + layout::file_name(record.number, role),
                                      {record.identity, record.generation, record.page_bytes}));
  return File{record, std::move(writer)};
}

Status IndexWriter::finish(File& file) {
  CAIRN_ASSIGN(const io::PageFileSummary summary, file.writer.finish());
  file.record.pages = summary.pages;
  file.record.stream_bytes = summary.stream_bytes;
  file.record.digest = summary.digest;
  manifest_.files.push_back(file.record);
  done_ += summary.pages;
  return report(0);
}

std::uint64_t IndexWriter::count_pages() const {
  std::uint64_t pages = blocks_ + layout::plan_labels(vectors_).pages();
  for (const CodeTable* table : {parts_.codes, parts_.refine})
    if (table != nullptr) pages += stream_pages(codes_plan(*table).stream_bytes());
  pages += stream_pages(nav_plan().slice_at(nav_plan().header.slices));
  const layout::Entries& entries = *parts_.entries;
  return pages + stream_pages(sizeof(layout::EntriesHeader) +
                              4 * (2 * entries.heads.size() + 1 + entries.slots.size()));
}

void IndexWriter::encode_block(std::uint64_t block, std::span<std::byte> page,
                               std::vector<std::uint32_t>& targets) const {
  const std::uint32_t places = parts_.shape.slots;
  const std::uint64_t first = block * places;
  layout::BlockWriter writer(parts_.shape, page, static_cast<std::uint32_t>(first));
  for (std::uint32_t place = 0; place < places && first + place < vectors_; ++place) {
    const std::uint32_t node = parts_.node_of_slot[first + place];
    const auto row = parts_.graph->row(first + place);
    targets.assign(row.begin(), row.end());
    std::sort(targets.begin(), targets.end());
    const VectorView vector = parts_.vectors.row(node);
    const float norm = parts_.shape.has_norms ? math::inverse_norm(vector) : 1.0F;
    writer.put(place, vector.data, parts_.labels[node], norm, targets);
  }
  writer.finish();
}

Status IndexWriter::write_blocks() {
  const std::size_t page_bytes = parts_.shape.block_bytes;
  CAIRN_ASSIGN(File file, create(Role::blocks, parts_.shape.block_bytes));
  const std::size_t at_once = std::max<std::size_t>(1, kWriteBytes / page_bytes);
  std::vector<std::byte> pages(std::min<std::uint64_t>(at_once, blocks_) * page_bytes);
  std::vector<std::vector<std::uint32_t>> targets(workers_.threads());
  for (std::uint64_t first = 0; first < blocks_; first += at_once) {
    const std::size_t count = std::min<std::uint64_t>(at_once, blocks_ - first);
    workers_.each(count, 32, [&](std::size_t begin, std::size_t end, std::uint32_t worker) {
      for (std::size_t b = begin; b < end; ++b) {
        const auto page = std::span(pages).subspan(b * page_bytes, page_bytes);
        encode_block(first + b, page, targets[worker]);
        layout::seal_page(page, file.writer.next_page(b));
      }
    });
    CAIRN_TRY(file.writer.append_sealed(std::span(pages).first(count * page_bytes)));
    CAIRN_TRY(report(first + count));
  }
  return finish(file);
}

Status IndexWriter::write_codes(Role role, const CodeTable& table) {
  CAIRN_ASSIGN(File file, create(role, layout::kPageBytes));
  const layout::CodesHeader header = codes_plan(table).header;
  CAIRN_TRY(file.writer.append_stream(bytes_of(header)));
  CAIRN_TRY(file.writer.append_stream(std::as_bytes(std::span(table.book.centroids))));
  CAIRN_TRY(file.writer.append_stream(std::as_bytes(std::span(table.codes))));
  const std::vector<std::byte> empty((slots_ - vectors_) * header.m);
  CAIRN_TRY(file.writer.append_stream(empty));
  return finish(file);
}

Status IndexWriter::write_nav() {
  CAIRN_ASSIGN(File file, create(Role::nav, layout::kPageBytes));
  const layout::NavHeader header = nav_plan().header;
  CAIRN_TRY(file.writer.append_stream(bytes_of(header)));
  constexpr std::uint32_t kEdges = layout::kNavEdgesPerSlice;
  const std::size_t at_once = std::max<std::size_t>(1, kWriteBytes / header.bits);
  std::vector<std::byte> rows(std::min<std::uint64_t>(at_once, slots_) * header.bits);
  for (std::uint32_t slice = 0; slice < header.slices; ++slice) {
    for (std::uint64_t first = 0; first < slots_; first += at_once) {
      const std::size_t count = std::min<std::uint64_t>(at_once, slots_ - first);
      workers_.each(count, kRowsPerTask, [&](std::size_t begin, std::size_t end, std::uint32_t) {
        for (std::size_t i = begin; i < end; ++i) {
          const auto list = first + i < vectors_ ? parts_.graph->row(first + i)
                                                 : std::span<const std::uint32_t>{};
          const std::size_t from = std::min<std::size_t>(list.size(), slice * kEdges);
          const std::size_t edges = std::min<std::size_t>(list.size() - from, kEdges);
          layout::nav_encode(list.subspan(from, edges), header.bits,
                             std::span(rows).subspan(i * header.bits, header.bits));
        }
      });
      CAIRN_TRY(file.writer.append_stream(std::span(rows).first(count * header.bits)));
      CAIRN_TRY(report(slice * slots_ * header.bits / layout::kPagePayloadBytes));
    }
  }
  return finish(file);
}

Status IndexWriter::write_entries() {
  CAIRN_ASSIGN(File file, create(Role::entries, layout::kPageBytes));
  CAIRN_TRY(file.writer.append_stream(layout::encode_entries(*parts_.entries)));
  return finish(file);
}

std::vector<std::uint32_t> IndexWriter::slots_by_label() const {
  std::vector<std::uint32_t> slots(vectors_);
  const auto label_of = [&](std::uint32_t slot) {
    return parts_.labels[parts_.node_of_slot[slot]];
  };
  if (std::is_sorted(parts_.labels.begin(), parts_.labels.end())) {
    for (std::uint64_t s = 0; s < vectors_; ++s)
      slots[parts_.node_of_slot[s]] = static_cast<std::uint32_t>(s);
  } else {
    std::iota(slots.begin(), slots.end(), 0U);
    std::sort(slots.begin(), slots.end(),
              [&](std::uint32_t a, std::uint32_t b) { return label_of(a) < label_of(b); });
  }
  return slots;
}

Status IndexWriter::write_labels() {
  CAIRN_ASSIGN(File file, create(Role::labels, layout::kPageBytes));
  const std::vector<std::uint32_t> slots = slots_by_label();
  std::vector<std::byte> buffer(layout::kPageBytes);
  const std::span<std::byte, layout::kPageBytes> page(buffer);
  const auto append = [&] {
    layout::seal_page(page, file.writer.next_page());
    return file.writer.append_sealed(page);
  };
  layout::encode_labels_header(layout::plan_labels(vectors_), page);
  CAIRN_TRY(append());

  std::vector<Label> labels, firsts;
  for (std::uint64_t at = 0; at < vectors_; at += layout::kLabelsPerLeaf) {
    const auto leaf = std::span(slots).subspan(
        at, std::min<std::uint64_t>(layout::kLabelsPerLeaf, vectors_ - at));
    labels.clear();
    for (const std::uint32_t slot : leaf)
      labels.push_back(parts_.labels[parts_.node_of_slot[slot]]);
    firsts.push_back(labels.front());
    layout::encode_label_leaf(labels, leaf, page);
    CAIRN_TRY(append());
  }
  for (int level = 0; level < 2; ++level) {  // inner pages over leaves, top pages over inner pages
    std::vector<Label> above;
    for (std::size_t at = 0; at < firsts.size(); at += layout::kLabelsPerInner) {
      const auto part = std::span<const Label>(firsts).subspan(
          at, std::min<std::size_t>(layout::kLabelsPerInner, firsts.size() - at));
      above.push_back(part.front());
      layout::encode_label_inner(part, page);
      CAIRN_TRY(append());
    }
    firsts = std::move(above);
  }
  return finish(file);
}

Status IndexWriter::write_file(const std::string& name, std::span<const std::byte> bytes) {
  CAIRN_ASSIGN(auto file, fs_.create(folder_ + "/" + name));
  CAIRN_TRY(file->append(bytes));
  CAIRN_TRY(file->sync());
  return file->close();
}

Result<layout::Manifest> IndexWriter::write_manifest() {
  layout::ManifestHeader& header = manifest_.header;
  header.sequence = 1;
  header.index_id = parts_.index_id;
  header.next_file_number = manifest_.files.size() + 1;
  header.seed = parts_.seed;
  header.dim = parts_.vectors.dim;
  header.dtype = static_cast<std::uint8_t>(parts_.vectors.dtype);
  header.metric = static_cast<std::uint8_t>(parts_.metric);
  const std::string_view path = math::kernel_path();
  std::memcpy(header.kernel_path, path.data(), std::min(path.size(), sizeof header.kernel_path));
  const auto& degree = parts_.graph->degree;
  manifest_.segments.push_back(
      {.segment = kSegment,
       .slot_count = slots_,
       .vector_count = vectors_,
       .edge_count = std::accumulate(degree.begin(), degree.end(), std::uint64_t{0}),
       .dropped_edges = parts_.dropped_edges,
       .slots_per_block = parts_.shape.slots,
       .block_bytes = parts_.shape.block_bytes,
       .degree_max = degree_max_,
       .code_bytes = parts_.codes->book.shape.m,
       .refine_bytes = parts_.refine != nullptr ? parts_.refine->book.shape.m : 0,
       .extent_count = 1});
  manifest_.extents.push_back({.segment = kSegment,
                               .first_slot = 0,
                               .slot_count = slots_,
                               .blocks_file = manifest_.find(kSegment, Role::blocks)->number,
                               .first_block = 0,
                               .codebook_version = 1,
                               .reserved = 0});
  CAIRN_TRY(layout::check_manifest(manifest_));
  CAIRN_TRY(write_file(layout::kPinsName, {}));
  const std::vector<std::byte> bytes = layout::encode_manifest(manifest_);
  CAIRN_TRY(write_file(kManifestTemporary, bytes));
  CAIRN_TRY(fs_.rename(folder_ + "/" + kManifestTemporary, folder_ + "/" + layout::kManifestName));
  CAIRN_TRY(fs_.sync_dir(folder_));
  return layout::decode_manifest(bytes);
}

}  // namespace

Result<layout::Manifest> write_index(io::Fs& fs, const std::string& folder, const IndexParts& parts,
                                     const Workers& workers, const Tick& tick) {
  return IndexWriter(fs, folder, parts, workers, tick).run();
}

}  // namespace cairn::build
