// The walk of a search: entry points, expansion from edges in RAM, expansion from a block.
#include <algorithm>
#include <bit>

#include "engine/search/query_state.h"

namespace cairn::search {
namespace {

/// The best few of a scan, ascending by (distance, index).
template <std::size_t Capacity>
class Nearest {
 public:
  void offer(float distance, std::uint32_t index) {
    if (size_ == Capacity && !(distance < items_[size_ - 1].distance)) return;
    std::size_t at = size_ < Capacity ? size_++ : size_ - 1;
    for (; at > 0 && distance < items_[at - 1].distance; --at) items_[at] = items_[at - 1];
    items_[at] = {distance, index};
  }
  std::size_t size() const { return size_; }
  std::uint32_t index(std::size_t i) const { return items_[i].index; }

 private:
  struct Item {
    float distance;
    std::uint32_t index;
  };
  std::array<Item, Capacity> items_;
  std::size_t size_ = 0;
};

}  // namespace

void Query::State::score_and_offer(std::uint32_t segment, std::span<const std::uint32_t> slots) {
  codes.base(segment, slots, distances.data());
  counters.code_distances += static_cast<std::uint32_t>(slots.size());
  // The list takes nothing that is infinitely far.
  if (hidden)
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (hides(segment, slots[i])) distances[i] = std::numeric_limits<float>::infinity();
  list.offer(segment, slots, distances.data(), 0);
}

/// When the list holds every slot there is nothing to find: all blocks are read, best first.
void Query::State::seed_with_everything() {
  for (std::uint32_t segment = 0; segment < segments.size(); ++segment) {
    const auto slots_end = static_cast<std::uint32_t>(segments[segment].slot_count);
    for (std::uint32_t first = 0; first < slots_end;) {
      const std::uint32_t count =
          std::min<std::uint32_t>(slots_end - first, static_cast<std::uint32_t>(targets.size()));
      for (std::uint32_t i = 0; i < count; ++i) targets[i] = first + i;
      codes.base(segment, {targets.data(), count}, distances.data());
      for (std::uint32_t i = 0; i < count; ++i)
        if (!hides(segment, targets[i]))
          list.append({distances[i], segment, targets[i], kExpanded});
      first += count;
    }
    counters.code_distances += slots_end;
  }
  list.sort();
}

void Query::State::scan_entries(std::uint32_t segment, std::uint32_t codes_max) {
  const layout::Entries* entries = segments[segment].entries;
  if (entries == nullptr || entries->heads.empty()) return;
  const auto lists = static_cast<std::uint32_t>(entries->heads.size());
  const std::uint32_t heads_max = std::max(1u, codes_max / 2);
  const std::uint32_t stride = (lists + heads_max - 1) / heads_max;
  Nearest<kEntryListsBlocksLead> nearest;
  std::uint32_t heads = 0;
  for (std::uint32_t list_index = 0; list_index < lists;) {
    std::uint32_t count = 0;
    const std::uint32_t first = list_index;
    for (; list_index < lists && count < targets.size(); list_index += stride)
      targets[count++] = entries->heads[list_index];
    score_and_offer(segment, {targets.data(), count});
    for (std::uint32_t i = 0; i < count; ++i) nearest.offer(distances[i], first + i * stride);
    heads += count;
  }
  std::uint32_t left = codes_max - std::min(codes_max, heads);
  const std::size_t nearest_lists =
      navigable && !segments[segment].nav.empty() ? kEntryListsNavigable : kEntryListsBlocksLead;
  for (std::size_t i = 0; i < std::min(nearest_lists, nearest.size()) && left != 0; ++i) {
    const std::uint32_t begin = entries->begins[nearest.index(i)];
    const std::uint32_t end = entries->begins[nearest.index(i) + 1];
    left -= scan_list(segment, std::span(entries->slots).subspan(begin, end - begin), left);
  }
}

/// Scores the samples of an entry list, evenly thinned to what half of `codes_max` allows, so that
/// the lists that follow are heard too. Returns how many.
std::uint32_t Query::State::scan_list(std::uint32_t segment, std::span<const std::uint32_t> samples,
                                      std::uint32_t codes_max) {
  const std::size_t allowed = (codes_max + 1) / 2;
  const std::size_t stride = std::max<std::size_t>(1, (samples.size() + allowed - 1) / allowed);
  std::uint32_t scanned = 0;
  for (std::size_t at = 0; at < samples.size();) {
    std::uint32_t count = 0;
    for (; at < samples.size() && count < targets.size(); at += stride)
      targets[count++] = samples[at];
    score_and_offer(segment, {targets.data(), count});
    scanned += count;
  }
  return scanned;
}

/// Expands from RAM, best first, until every candidate that counts has been.
void Query::State::expand_resident() {
  if (!navigable) return;
  std::uint32_t i = list.next_without(kExpanded, walk_limit);
  while (i != CandidateList::kNone) {
    list.set(i, kExpanded);
    const Candidate candidate = list[i];
    // The runner-up is expanded next unless this expansion finds a better one.
    i = list.next_without(kExpanded, walk_limit);
    if (i != CandidateList::kNone) prefetch_nav(list[i]);
    expand_nav(candidate);
    i = list.next_without(kExpanded, walk_limit);
  }
}

void Query::State::prefetch_nav(const Candidate& candidate) const {
  const Segment& s = segments[candidate.segment];
  const std::size_t row_at = std::size_t{candidate.slot} * s.nav_bits;
  for (const std::byte* slice : s.nav) {
    __builtin_prefetch(slice + row_at);
    __builtin_prefetch(slice + row_at + s.nav_bits - 1);
  }
}

void Query::State::expand_nav(const Candidate& candidate) {
  const Segment& s = segments[candidate.segment];
  if (s.nav.empty()) return;
  const std::size_t row_at = std::size_t{candidate.slot} * s.nav_bits;
  std::uint32_t count = 0;
  for (const std::byte* slice : s.nav) {
    for (std::uint32_t e = 0; e < layout::kNavEdgesPerSlice; ++e) {
      targets[count] = layout::nav_edge(slice + row_at, s.nav_bits, e);
      count += targets[count] < s.slot_count;
    }
  }
  ++counters.expanded;
  score_new(candidate.segment, count);
}

/// Scores those of targets[0..count) that were not scored before. The compaction does not branch on
/// what was seen, as that cannot be predicted.
void Query::State::score_new(std::uint32_t segment, std::uint32_t count) {
  std::uint32_t fresh = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t target = targets[i];
    targets[fresh] = target;
    fresh += visited.insert(segment, target);
  }
  score_and_offer(segment, {targets.data(), fresh});
}

/// Offers every vector of an arrived block and follows the edges of those that stay in the list. A
/// vector that does not stay now never will, as the bound only falls, so the block is not needed
/// again.
Status Query::State::expand_block(const layout::BlockView& view, const BlockWant& want) {
  struct Place {
    float distance;
    std::uint32_t slot;
  };
  std::array<Place, layout::kSlotsPerBlockMax> places;
  std::uint32_t count = 0;
  for (std::uint64_t left = view.occupied_mask(); left != 0; left &= left - 1) {
    const std::uint32_t slot = want.first_slot + static_cast<std::uint32_t>(std::countr_zero(left));
    if (hides(want.segment, slot)) continue;
    visited.insert(want.segment, slot);
    targets[count++] = slot;
  }
  const std::span<const std::uint32_t> slots(targets.data(), count);
  codes.base(want.segment, slots, distances.data());
  counters.code_distances += count;
  list.offer(want.segment, slots, distances.data(), kRead | kExpanded);
  for (std::uint32_t i = 0; i < count; ++i) places[i] = {distances[i], slots[i]};
  std::sort(places.begin(), places.begin() + count, [](const Place& a, const Place& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  });
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!(places[i].distance < list.bound()) &&
        !list.contains(places[i].distance, want.segment, places[i].slot))
      break;
    CAIRN_TRY(follow(view, places[i].slot - want.first_slot, want.segment));
  }
  return {};
}

Status Query::State::follow(const layout::BlockView& view, std::uint32_t place,
                            std::uint32_t segment) {
  CAIRN_ASSIGN(const std::uint32_t degree,
               view.neighbors(place, segments[segment].slot_count, targets));
  ++counters.expanded;
  score_new(segment, degree);
  return {};
}

}  // namespace cairn::search
