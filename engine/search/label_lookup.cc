#include "engine/search/label_lookup.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "io/aligned_buffer.h"

namespace cairn::search {
namespace {

/// Decodes page `page` of `file` once it is verified; errors name file and page.
template <class Decode>
auto decoded_page(const io::ReadFile& file, const io::PageFileId& id, std::uint64_t page,
                  io::AlignedBuffer& buffer, Decode decode)
    -> decltype(decode(std::span<const std::byte>())) {
  CAIRN_TRY(io::read_pages(file, id, page, 1, buffer.bytes()));
  auto decoded = decode(std::span<const std::byte>(buffer.bytes()));
  if (decoded) return decoded;
  Error error = std::move(decoded).error().in_file(file.path());
  error.block = page;
  return fail(std::move(error));
}

/// The last entry that is not above `label`, if any.
std::optional<std::size_t> last_at_most(const std::vector<std::uint64_t>& ascending, Label label) {
  const auto after = std::ranges::upper_bound(ascending, label);
  if (after == ascending.begin()) return std::nullopt;
  return static_cast<std::size_t>(after - ascending.begin()) - 1;
}

}  // namespace

Result<LabelLookup> LabelLookup::open(const IndexFolder& folder,
                                      const layout::SegmentRecord& segment, bool direct) {
  const layout::FileRecord& record = *folder.manifest().find(segment.segment, layout::Role::labels);
  LabelLookup lookup;
  CAIRN_ASSIGN(lookup.file_, folder.open_file(record, direct));
  lookup.id_ = page_file_id(record);
  lookup.slot_count_ = segment.slot_count;
  const io::ReadFile& file = *lookup.file_;
  CAIRN_ASSIGN(io::AlignedBuffer buffer, io::AlignedBuffer::create(layout::kPageBytes));
  CAIRN_ASSIGN(lookup.plan_,
               decoded_page(file, lookup.id_, 0, buffer, [&](std::span<const std::byte> page) {
                 return layout::decode_labels_header(page, record.pages, segment.vector_count);
               }));
  const layout::LabelsHeader& header = lookup.plan_.header;
  lookup.inner_firsts_.reserve(static_cast<std::size_t>(header.inners));
  for (std::uint64_t top = 0; top < header.tops; ++top) {
    CAIRN_ASSIGN(const auto firsts, decoded_page(file, lookup.id_, lookup.plan_.top_page(top),
                                                 buffer, layout::decode_label_inner));
    lookup.inner_firsts_.insert(lookup.inner_firsts_.end(), firsts.begin(), firsts.end());
  }
  if (lookup.inner_firsts_.size() != header.inners ||
      std::ranges::adjacent_find(lookup.inner_firsts_, std::greater_equal<>{}) !=
          lookup.inner_firsts_.end())
    return fail({.code = ErrorCode::corrupt,
                 .what = "top pages of labels",
                 .file = file.path(),
                 .found = std::to_string(lookup.inner_firsts_.size()) + " inner pages",
                 .expected = std::to_string(header.inners) + ", by ascending label"});
  return lookup;
}

Result<std::optional<std::uint32_t>> LabelLookup::find(Label label) const {
  const auto inner = last_at_most(inner_firsts_, label);
  if (!inner) return std::optional<std::uint32_t>();
  CAIRN_ASSIGN(io::AlignedBuffer buffer, io::AlignedBuffer::create(layout::kPageBytes));
  CAIRN_ASSIGN(const auto leaf_firsts, decoded_page(*file_, id_, plan_.inner_page(*inner), buffer,
                                                    layout::decode_label_inner));
  const auto within = last_at_most(leaf_firsts, label);
  if (!within) return std::optional<std::uint32_t>();
  const std::uint64_t leaf = *inner * layout::kLabelsPerInner + *within;
  if (leaf >= plan_.header.leaves)
    return fail({.code = ErrorCode::corrupt,
                 .what = "leaf named by an inner page of labels",
                 .file = file_->path(),
                 .block = plan_.inner_page(*inner),
                 .found = std::to_string(leaf),
                 .expected = "below " + std::to_string(plan_.header.leaves)});
  CAIRN_ASSIGN(const auto found, decoded_page(*file_, id_, plan_.leaf_page(leaf), buffer,
                                              [&](std::span<const std::byte> page) {
                                                return layout::decode_label_leaf(page, slot_count_);
                                              }));
  const auto at = std::ranges::lower_bound(found.labels, label);
  if (at == found.labels.end() || *at != label) return std::optional<std::uint32_t>();
  return std::optional(found.slots[static_cast<std::size_t>(at - found.labels.begin())]);
}

std::uint64_t LabelLookup::ram_bytes(std::uint64_t vector_count) {
  return layout::plan_labels(vector_count).header.inners * sizeof(std::uint64_t);
}

}  // namespace cairn::search
