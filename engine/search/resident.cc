#include "engine/search/resident.h"

#include <array>
#include <string>
#include <utility>

namespace cairn::search {
namespace {

std::uint64_t rounded(std::uint64_t bytes) {
  return (bytes + io::kIoAlignment - 1) / io::kIoAlignment * io::kIoAlignment;
}

std::uint64_t codes_ram_bytes(const layout::CodesPlan& plan) {
  return rounded(plan.codes_bytes()) + plan.codebook_floats() * sizeof(float);
}

/// What pq_prepare adds: the centroids once more, half a norm each, and one panel a subspace.
std::uint64_t panels_ram_bytes(const layout::CodesPlan& plan) {
  return plan.codebook_floats() * sizeof(float) +
         plan.header.m * (math::kCentroids * sizeof(float) + sizeof(math::CentroidPanel));
}

/// What finds the codes of a layer, or of the base beside one.
std::uint64_t finding_bytes(const layout::CodesPlan& plan) {
  return sizeof(math::LayeredCodebook::Layer) + (plan.header.m + 1) * sizeof(std::uint32_t) +
         sizeof(const std::uint8_t*);
}

std::uint64_t slice_ram_bytes(const layout::NavPlan& plan) {
  return rounded(plan.slice_bytes() + layout::kNavPadBytes) + sizeof(io::AlignedBuffer) +
         sizeof(const std::byte*);
}

/// A header decoded from the front of a stream; errors name the file.
template <class Header, class Decode>
auto decode_front(const io::ReadFile& file, io::PageStreamReader& reader, Decode decode)
    -> decltype(decode(std::span<const std::byte>())) {
  std::array<std::byte, sizeof(Header)> bytes;
  CAIRN_TRY(reader.read(0, bytes));
  auto decoded = decode(std::span<const std::byte>(bytes));
  if (!decoded) return fail(std::move(decoded).error().in_file(file.path()));
  return decoded;
}

Result<layout::Entries> load_entries(const io::ReadFile& file, io::PageStreamReader& reader,
                                     std::uint64_t slot_count) {
  const auto bytes = static_cast<std::size_t>(reader.stream_bytes());
  CAIRN_ASSIGN(const io::AlignedBuffer stream, io::AlignedBuffer::create(bytes));
  CAIRN_TRY(reader.read(0, stream.bytes().first(bytes)));
  auto entries = layout::decode_entries(stream.bytes().first(bytes), slot_count);
  if (!entries) return fail(std::move(entries).error().in_file(file.path()));
  return entries;
}

}  // namespace

Segment ResidentSegment::view() const {
  return {.slot_count = record.slot_count,
          .vector_count = record.vector_count,
          .shape = shape,
          .map = &map,
          .codebook = &codes.book,
          .codes = codes.data(),
          .refine_codebook = refine.empty() ? nullptr : &refine_book,
          .refine_codes = refine_codes,
          .nav_bits = nav_bits,
          .nav = nav_views,
          .nav_complete = nav_complete,
          .entries = &entries};
}

std::uint64_t ResidentSegment::refine_ram_bytes() const {
  std::uint64_t bytes = refine.capacity() * sizeof(ResidentCodes) + refine_book.bytes() +
                        refine_codes.capacity() * sizeof(const std::uint8_t*);
  for (const ResidentCodes& layer : refine) bytes += layer.ram_bytes();
  return bytes;
}

std::uint64_t ResidentSegment::nav_ram_bytes() const {
  std::uint64_t bytes =
      nav.capacity() * sizeof(io::AlignedBuffer) + nav_views.capacity() * sizeof(const std::byte*);
  for (const io::AlignedBuffer& slice : nav) bytes += slice.size();
  return bytes;
}

std::uint64_t ResidentSegment::entries_ram_bytes() const {
  return (entries.heads.capacity() + entries.begins.capacity() + entries.slots.capacity()) *
         sizeof(std::uint32_t);
}

Result<SegmentSource::Stream> SegmentSource::open_stream(const layout::FileRecord& file) const {
  Stream stream;
  CAIRN_ASSIGN(stream.file, folder_->open_file(file, direct_));
  CAIRN_ASSIGN(auto reader,
               io::PageStreamReader::create(*stream.file, page_file_id(file), file.stream_bytes));
  stream.reader = std::make_unique<io::PageStreamReader>(std::move(reader));
  return stream;
}

Result<SegmentSource::CodesSource> SegmentSource::open_codes(const layout::FileRecord& file,
                                                             std::uint32_t code_bytes) const {
  CodesSource source{.record = &file, .stream = {}, .plan = {}};
  CAIRN_ASSIGN(source.stream, open_stream(file));
  io::PageStreamReader& reader = *source.stream.reader;
  CAIRN_ASSIGN(source.plan, decode_front<layout::CodesHeader>(
                                *source.stream.file, reader, [&](std::span<const std::byte> bytes) {
                                  return layout::decode_codes_header(bytes, reader.stream_bytes(),
                                                                     segment_.slot_count);
                                }));
  const layout::CodesHeader& header = source.plan.header;
  const std::uint32_t dim = folder_->manifest().header.dim;
  if (header.m == code_bytes && header.dim == dim) return source;
  return fail(
      {.code = ErrorCode::corrupt,
       .what = "header of codes",
       .file = source.stream.file->path(),
       .found = std::to_string(header.m) + " bytes of dimension " + std::to_string(header.dim),
       .expected = std::to_string(code_bytes) + " and " + std::to_string(dim)});
}

Status SegmentSource::open_nav() {
  if (folder_->manifest().find(segment_.segment, layout::Role::nav) == nullptr) return {};
  CAIRN_ASSIGN(nav_, open_stream(record(layout::Role::nav)));
  CAIRN_ASSIGN(nav_plan_, decode_front<layout::NavHeader>(
                              *nav_.file, *nav_.reader, [&](std::span<const std::byte> bytes) {
                                return layout::decode_nav_header(bytes, nav_.reader->stream_bytes(),
                                                                 segment_.slot_count);
                              }));
  return {};
}

Result<SegmentSource> SegmentSource::open(const IndexFolder& folder,
                                          const layout::SegmentRecord& segment, bool direct) {
  SegmentSource source(folder, segment, direct);
  CAIRN_ASSIGN(source.codes_,
               source.open_codes(source.record(layout::Role::codes), segment.code_bytes));
  for (const auto* layer : folder.manifest().files_of(segment.segment, layout::Role::refine)) {
    CAIRN_ASSIGN(auto codes, source.open_codes(*layer, folder.manifest().layer_bytes(
                                                           *layer, segment.slot_count)));
    source.refine_.push_back(std::move(codes));
  }
  CAIRN_TRY(source.open_nav());
  CAIRN_ASSIGN(source.entries_, source.open_stream(source.record(layout::Role::entries)));
  return source;
}

SegmentParts parts_of(const SegmentForm& form) {
  constexpr std::uint64_t kMapBytesPerExtent = 28;
  SegmentParts parts;
  // The arrays of the entry points are the stream but for its header.
  parts.fixed_bytes = sizeof(ResidentSegment) + sizeof(Segment) + sizeof(LabelLookup) +
                      form.extents * kMapBytesPerExtent + codes_ram_bytes(form.codes) +
                      panels_ram_bytes(form.codes) + form.entries_stream_bytes -
                      sizeof(layout::EntriesHeader) + LabelLookup::ram_bytes(form.vectors);
  for (const layout::CodesPlan& layer : form.refine)
    parts.refine_bytes.push_back(codes_ram_bytes(layer) + sizeof(ResidentCodes) +
                                 finding_bytes(layer));
  if (!form.refine.empty()) parts.refine_bytes.front() += finding_bytes(form.codes);
  if (form.nav) {
    parts.slice_bytes = slice_ram_bytes(*form.nav);
    parts.slices = form.nav->header.slices;
  }
  return parts;
}

SegmentParts SegmentSource::parts() const {
  SegmentForm form{.vectors = segment_.vector_count,
                   .extents = segment_.extent_count,
                   .entries_stream_bytes = entries_.reader->stream_bytes(),
                   .codes = codes_.plan,
                   .refine = {},
                   .nav = {}};
  for (const CodesSource& layer : refine_) form.refine.push_back(layer.plan);
  if (nav_.file) form.nav = nav_plan_;
  return parts_of(form);
}

Status SegmentSource::plan_codes(const CodesSource& source, ResidentCodes& into, Ranges& ranges) {
  const layout::CodesPlan& plan = source.plan;
  const auto bytes = static_cast<std::size_t>(plan.codes_bytes());
  into.book.shape = {.dim = plan.header.dim, .m = plan.header.m};
  into.book.centroids.resize(static_cast<std::size_t>(plan.codebook_floats()));
  CAIRN_ASSIGN(into.codes, io::AlignedBuffer::create_huge(bytes));
  const io::ReadFile* file = source.stream.file.get();
  ranges.push_back({.file = file,
                    .id = page_file_id(*source.record),
                    .offset = sizeof(layout::CodesHeader),
                    .into = std::as_writable_bytes(std::span(into.book.centroids))});
  ranges.push_back({.file = file,
                    .id = page_file_id(*source.record),
                    .offset = plan.codes_at(),
                    .into = into.codes.bytes().first(bytes)});
  return {};
}

Status SegmentSource::plan_refinement(std::uint32_t layers, ResidentSegment& into,
                                      Ranges& ranges) const {
  if (layers == 0) return {};
  into.refine.resize(layers);
  into.refine_book.reserve(layers + std::size_t{1});
  into.refine_codes.reserve(layers + std::size_t{1});
  into.refine_book.add(into.codes.book);
  into.refine_codes.push_back(into.codes.data());
  for (std::uint32_t layer = 0; layer < layers; ++layer) {
    ResidentCodes& codes = into.refine[layer];
    CAIRN_TRY(plan_codes(refine_[layer], codes, ranges));
    into.refine_book.add(codes.book);
    into.refine_codes.push_back(codes.data());
  }
  return {};
}

Status SegmentSource::plan_nav(std::uint32_t slices, ResidentSegment& into, Ranges& ranges) const {
  if (slices == 0) return {};
  into.nav_bits = nav_plan_.header.bits;
  into.nav_complete = slices * layout::kNavEdgesPerSlice >= segment_.degree_max;
  into.nav.reserve(slices);
  into.nav_views.reserve(slices);
  const auto bytes = static_cast<std::size_t>(nav_plan_.slice_bytes());
  for (std::uint32_t slice = 0; slice < slices; ++slice) {
    CAIRN_ASSIGN(auto memory, io::AlignedBuffer::create_huge(bytes + layout::kNavPadBytes));
    ranges.push_back({.file = nav_.file.get(),
                      .id = page_file_id(record(layout::Role::nav)),
                      .offset = nav_plan_.slice_at(slice),
                      .into = memory.bytes().first(bytes)});
    into.nav_views.push_back(memory.data());
    into.nav.push_back(std::move(memory));
  }
  return {};
}

Result<std::unique_ptr<ResidentSegment>> SegmentSource::load(const SegmentPlan& plan,
                                                             const io::DeviceOptions& device) {
  auto loaded = std::make_unique<ResidentSegment>(segment_, folder_->manifest());
  // First, so that the copy it needs for a moment is gone before the large arrays come.
  CAIRN_ASSIGN(loaded->entries,
               load_entries(*entries_.file, *entries_.reader, segment_.slot_count));
  Ranges ranges;
  CAIRN_TRY(plan_codes(codes_, loaded->codes, ranges));
  CAIRN_TRY(plan_refinement(plan.layers, *loaded, ranges));
  CAIRN_TRY(plan_nav(plan.slices, *loaded, ranges));
  CAIRN_TRY(io::load_streams(folder_->fs(), ranges, device));
  math::pq_prepare(loaded->codes.book);
  CAIRN_ASSIGN(auto labels, LabelLookup::open(*folder_, segment_, direct_));
  loaded->labels = std::make_unique<LabelLookup>(std::move(labels));
  return loaded;
}

}  // namespace cairn::search
