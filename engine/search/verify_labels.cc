// Verify: the labels file, in itself and against the blocks.
#include <algorithm>
#include <optional>

#include "engine/search/verify_parts.h"

namespace cairn::search {
namespace {

/// Takes the pages in order: header, leaves, inner pages, tops.
class LabelsChecker {
 public:
  LabelsChecker(SegmentCheck& check, const layout::FileRecord& record, std::string path)
      : check_(check), path_(std::move(path)), pages_(record.pages) {
    plan_ = layout::plan_labels(check.record.vector_count);
  }

  void page(std::uint64_t page, std::span<const std::byte> bytes) {
    ++seen_;
    Status checked = check_page(page, bytes);
    if (checked) return;
    intact_ = false;
    Error error = std::move(checked).error().in_file(path_);
    error.block = page;
    check_.log.problem(std::move(error));
  }

  /// Whether every page was read and decoded, so that what is missing is missing.
  bool intact() const { return intact_ && seen_ == pages_; }

 private:
  Status check_page(std::uint64_t page, std::span<const std::byte> bytes) {
    if (page == 0) {
      CAIRN_TRY(layout::decode_labels_header(bytes, pages_, check_.record.vector_count));
      return {};
    }
    if (page < plan_.inner_page(0)) return check_leaf(bytes);
    CAIRN_ASSIGN(const auto firsts, layout::decode_label_inner(bytes));
    const bool is_top = page >= plan_.top_page(0);
    std::vector<std::uint64_t>& below = is_top ? inner_firsts_ : leaf_firsts_;
    const std::uint64_t at =
        (page - (is_top ? plan_.top_page(0) : plan_.inner_page(0))) * layout::kLabelsPerInner;
    const auto expected = std::span(below).subspan(std::min<std::uint64_t>(at, below.size()));
    if (!is_top) inner_firsts_.push_back(firsts.front());
    if (std::ranges::equal(firsts, expected.first(std::min<std::size_t>(expected.size(),
                                                                        layout::kLabelsPerInner))))
      return {};
    return fail({.code = ErrorCode::corrupt,
                 .what = "inner page of labels",
                 .found = std::to_string(firsts.size()) + " labels",
                 .expected = "the first label of each page below"});
  }

  Status check_leaf(std::span<const std::byte> bytes) {
    CAIRN_ASSIGN(const auto leaf, layout::decode_label_leaf(bytes, check_.record.slot_count));
    leaf_firsts_.push_back(leaf.labels.front());
    for (std::size_t i = 0; i < leaf.labels.size(); ++i)
      check_.label_sums[leaf.slots[i] / check_.bucket_slots] -=
          SegmentCheck::label_hash(leaf.labels[i], leaf.slots[i]);
    const auto before = std::exchange(last_, leaf.labels.back());
    if (!before || *before < leaf.labels.front()) return {};
    return fail({.code = ErrorCode::corrupt,
                 .what = "labels across leaves",
                 .found = std::to_string(leaf.labels.front()) + " after " + std::to_string(*before),
                 .expected = "ascending labels, each once"});
  }

  SegmentCheck& check_;
  std::string path_;
  std::uint64_t pages_;
  layout::LabelsPlan plan_;
  std::uint64_t seen_ = 0;
  bool intact_ = true;
  std::optional<Label> last_;
  std::vector<std::uint64_t> leaf_firsts_, inner_firsts_;
};

}  // namespace

Status check_labels(SegmentCheck& check) {
  const layout::FileRecord& record =
      *check.folder.manifest().find(check.record.segment, layout::Role::labels);
  LabelsChecker checker(check, record, check.folder.path_of(record));
  CAIRN_TRY(check_pages(check, record, [&](std::uint64_t page, std::span<const std::byte> bytes) {
    checker.page(page, bytes);
    return Status{};
  }));
  if (!checker.intact() || !check.blocks_intact) return {};
  for (std::size_t bucket = 0; bucket < check.label_sums.size(); ++bucket)
    if (check.label_sums[bucket] != 0)
      check.problem_at(static_cast<std::uint32_t>(bucket * check.bucket_slots),
                       "labels of " + std::to_string(check.bucket_slots) + " slots",
                       "labels that the labels file gives to other slots, or not at all",
                       "the same labels in both");
  return {};
}

}  // namespace cairn::search
