#include "engine/search/code_rank.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace cairn::search {
namespace {

constexpr std::size_t kBatch = 512;

}  // namespace

bool CodeRank::before(const Ranked& a, const Ranked& b) {
  return std::tie(a.base, a.segment, a.slot) < std::tie(b.base, b.segment, b.slot);
}

/// best_ is a heap, the worst in front, until all were offered.
void CodeRank::offer(const Ranked& candidate) {
  if (best_.size() == best_max_) {
    if (!before(candidate, best_.front())) return;
    std::ranges::pop_heap(best_, before);
    best_.pop_back();
  }
  best_.push_back(candidate);
  std::ranges::push_heap(best_, before);
}

void CodeRank::rank(VectorView query, std::optional<Ref> hidden, std::uint64_t list_max,
                    bool navigable) {
  const std::span<const Segment> segments = snapshot_.segments();
  navigable_ = navigable;
  refining_ = std::ranges::any_of(
      segments, [](const Segment& segment) { return segment.refine_codebook != nullptr; });
  codes_.reset(snapshot_.limits().metric, query, segments);
  best_.clear();
  best_max_ = static_cast<std::size_t>(walk_size(list_max, refining_, navigable_));
  std::array<std::uint32_t, kBatch> slots;
  std::array<float, kBatch> distances;
  for (std::uint32_t s = 0; s < segments.size(); ++s) {
    const auto slots_end = static_cast<std::uint32_t>(segments[s].slot_count);
    for (std::uint32_t slot = 0; slot < slots_end;) {
      std::uint32_t count = 0;
      for (; slot < slots_end && count < kBatch; ++slot)
        if (occupied_[s].test(slot) && hidden != Ref{s, slot}) slots[count++] = slot;
      codes_.base(s, {slots.data(), count}, distances.data());
      for (std::uint32_t i = 0; i < count; ++i) offer({distances[i], 0, s, slots[i]});
    }
  }
  std::ranges::sort_heap(best_, before);
  if (!refining_) return;
  for (Ranked& ranked : best_)
    ranked.refined = codes_.refined(ranked.segment, ranked.slot, ranked.base);
}

bool CodeRank::holds(Ref ref, std::uint64_t list_size) const {
  const std::size_t walked =
      std::min(best_.size(), static_cast<std::size_t>(walk_size(list_size, refining_, navigable_)));
  const auto kept = std::span(best_).first(walked);
  const auto at = std::ranges::find_if(kept, [&](const Ranked& ranked) {
    return Ref{ranked.segment, ranked.slot} == ref;
  });
  if (at == kept.end()) return false;
  if (!refining_) return static_cast<std::uint64_t>(at - kept.begin()) < list_size;
  const auto nearer =
      std::ranges::count_if(kept, [&](const Ranked& r) { return r.refined < at->refined; });
  return static_cast<std::uint64_t>(nearer) < list_size;
}

}  // namespace cairn::search
