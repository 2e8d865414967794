// Verify: the blocks, and the navigation file against them in the same pass.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "engine/math/distance.h"
#include "engine/search/verify_parts.h"
#include "io/aligned_buffer.h"

namespace cairn::search {
namespace {

/// The rows of all navigation slices for a window of slots, moved along with the blocks.
class NavWindow {
 public:
  static Result<std::unique_ptr<NavWindow>> open(const SegmentCheck& check,
                                                 const layout::FileRecord& record) {
    std::unique_ptr<NavWindow> window(new NavWindow(check.record.slot_count));
    CAIRN_ASSIGN(window->file_, check.folder.open_file(record, check.direct));
    CAIRN_ASSIGN(auto reader, io::PageStreamReader::create(*window->file_, page_file_id(record),
                                                           record.stream_bytes));
    window->reader_ = std::make_unique<io::PageStreamReader>(std::move(reader));
    std::array<std::byte, sizeof(layout::NavHeader)> header;
    CAIRN_TRY(window->reader_->read(0, header));
    auto plan = layout::decode_nav_header(header, record.stream_bytes, check.record.slot_count);
    if (!plan) return fail(std::move(plan).error().in_file(window->file_->path()));
    window->plan_ = *plan;
    window->row_bytes_ = std::size_t{kSlots} * plan->header.bits;
    CAIRN_ASSIGN(window->rows_, io::AlignedBuffer::create(window->row_bytes_ * plan->header.slices +
                                                          layout::kNavPadBytes));
    return window;
  }

  std::uint32_t edges_max() const { return plan_.header.slices * layout::kNavEdgesPerSlice; }
  const std::string& path() const { return file_->path(); }

  /// Moves the window to hold `slot`. An error is told once a window, which then is not readable.
  Status move_to(std::uint32_t slot) {
    if (slot - first_ < count_) return {};
    first_ = slot;
    count_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(kSlots, slot_count_ - slot));
    const Status filled = fill();
    readable_ = filled.has_value();
    return filled;
  }
  bool readable() const { return readable_; }

  /// The targets of `slot`, ascending; the window holds it and is readable.
  std::span<const std::uint32_t> edges(std::uint32_t slot) {
    std::uint32_t count = 0;
    for (std::uint32_t slice = 0; slice < plan_.header.slices; ++slice) {
      const std::byte* row =
          rows_.data() + slice * row_bytes_ + std::size_t{slot - first_} * plan_.header.bits;
      for (std::uint32_t e = 0; e < layout::kNavEdgesPerSlice; ++e) {
        const std::uint32_t target = layout::nav_edge(row, plan_.header.bits, e);
        if (target < slot_count_) edges_[count++] = target;
      }
    }
    std::sort(edges_.begin(), edges_.begin() + count);
    return {edges_.data(), count};
  }

 private:
  static constexpr std::uint32_t kSlots = 4096;
  explicit NavWindow(std::uint64_t slot_count) : slot_count_(slot_count) {}

  Status fill() {
    const std::uint32_t bits = plan_.header.bits;
    for (std::uint32_t slice = 0; slice < plan_.header.slices; ++slice)
      CAIRN_TRY(
          reader_->read(plan_.slice_at(slice) + std::uint64_t{first_} * bits,
                        rows_.bytes().subspan(slice * row_bytes_, std::size_t{count_} * bits)));
    return {};
  }

  std::uint64_t slot_count_;
  std::unique_ptr<io::ReadFile> file_;
  std::unique_ptr<io::PageStreamReader> reader_;
  layout::NavPlan plan_;
  std::size_t row_bytes_ = 0;
  io::AlignedBuffer rows_;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  bool readable_ = false;
  std::array<std::uint32_t, layout::kNavSlicesMax * layout::kNavEdgesPerSlice> edges_;
};

/// One place of one block.
class BlockChecker {
 public:
  BlockChecker(SegmentCheck& check, NavWindow* nav)
      : check_(check),
        nav_(nav),
        dim_(check.folder.manifest().header.dim),
        dtype_(check.folder.manifest().dtype()) {}

  Status block(const ScannedBlock& block, const std::string& path) {
    ++check_.log.report().blocks;
    check_.log.advance(1);
    for (std::uint32_t place = 0; place < check_.shape.slots; ++place) {
      Status checked = check_place(block, place);
      if (checked) continue;
      Error error = std::move(checked).error();
      if (error.file.empty()) error.block = block.block;
      check_.log.problem(std::move(error).in_file(path));
    }
    return {};
  }

 private:
  Status check_place(const ScannedBlock& block, std::uint32_t place) {
    const std::uint32_t slot = block.first_slot + place;
    CAIRN_ASSIGN(const std::uint32_t degree,
                 block.view.neighbors(place, check_.record.slot_count, targets_));
    const std::span<const std::uint32_t> targets(targets_.data(), degree);
    if (block.view.occupied(place)) {
      check_.occupied.set(slot);
      ++check_.vectors;
      check_.edges += degree;
      check_.label_sums[slot / check_.bucket_slots] +=
          SegmentCheck::label_hash(block.view.label(place), slot);
      for (const std::uint32_t target : targets) check_.has_in_edge.set(target);
      CAIRN_TRY(check_vector(block.view, place, slot));
    } else if (degree != 0) {
      return wrong(slot, "edges of an empty place", std::to_string(degree), "none");
    }
    CAIRN_TRY(check_edges(slot, targets));
    return nav_ == nullptr ? Status{} : check_nav(slot, targets);
  }

  Status check_vector(const layout::BlockView& view, std::uint32_t place, std::uint32_t slot) {
    const VectorView vector{.data = view.vector(place), .dim = dim_, .dtype = dtype_};
    if (!math::all_finite(vector)) return wrong(slot, "vector", "NaN or infinity", "numbers");
    if (!check_.shape.has_norms) return {};
    const float found = view.inverse_norm(place);
    const float expected = math::inverse_norm(vector);
    // Kernel paths differ by rounding.
    if (std::abs(found - expected) <= 1e-3f * expected) return {};
    return wrong(slot, "inverse norm", std::to_string(found), std::to_string(expected));
  }

  Status check_edges(std::uint32_t slot, std::span<const std::uint32_t> targets) {
    if (targets.size() > check_.record.degree_max)
      return wrong(slot, "out-degree", std::to_string(targets.size()),
                   "at most " + std::to_string(check_.record.degree_max));
    const auto descent = std::ranges::adjacent_find(targets, std::greater_equal<>{});
    if (descent != targets.end())
      return wrong(slot, "edges", "target " + std::to_string(*descent) + " before one not above it",
                   "ascending targets");
    if (std::ranges::binary_search(targets, slot))
      return wrong(slot, "edges", "an edge to itself", "none");
    return {};
  }

  Status check_nav(std::uint32_t slot, std::span<const std::uint32_t> targets) {
    CAIRN_TRY(nav_->move_to(slot));
    if (!nav_->readable()) return {};
    const auto edges = nav_->edges(slot);
    const bool all_there = std::ranges::includes(targets, edges);
    const bool distinct = std::ranges::adjacent_find(edges) == edges.end();
    const std::size_t expected = std::min<std::size_t>(targets.size(), nav_->edges_max());
    if (all_there && distinct && edges.size() == expected) return {};
    return wrong(slot, "edges in '" + nav_->path() + "'",
                 std::to_string(edges.size()) + (all_there && distinct ? "" : " that differ"),
                 "the " + std::to_string(expected) + " of the block");
  }

  static tl::unexpected<Error> wrong(std::uint32_t slot, std::string what, std::string found,
                                     std::string expected) {
    return fail({.code = ErrorCode::corrupt,
                 .what = "slot " + std::to_string(slot) + ": " + std::move(what),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  SegmentCheck& check_;
  NavWindow* nav_;
  std::uint32_t dim_;
  DType dtype_;
  std::array<std::uint32_t, layout::kDegreeMax> targets_;
};

}  // namespace

Status check_blocks(SegmentCheck& check) {
  const layout::Manifest& manifest = check.folder.manifest();
  std::unique_ptr<NavWindow> nav;
  if (const auto* record = manifest.find(check.record.segment, layout::Role::nav)) {
    check.log.note(check_pages(check, *record, {}));
    auto opened = NavWindow::open(check, *record);
    if (opened) {
      nav = std::move(*opened);
    } else {
      check.log.problem(std::move(opened).error());
    }
  }
  BlockChecker checker(check, nav.get());
  for (const auto* record : manifest.files_of(check.record.segment, layout::Role::blocks)) {
    const std::string path = check.folder.path_of(*record);
    bool intact = true;
    const auto visit = [&](const ScannedBlock& block) { return checker.block(block, path); };
    const auto visit_bad = [&](Error error) -> Status {
      check.log.problem(std::move(error));
      intact = false;
      return {};
    };
    const auto summary =
        scan_blocks(check.folder, *record, check.shape, check.map, check.direct, visit, visit_bad);
    check.blocks_intact &= intact && summary.has_value();
    if (!summary) {
      check.log.problem(summary.error());
    } else if (intact) {
      check.log.note(check_digest(check, *record, *summary));
    }
  }
  return {};
}

}  // namespace cairn::search
