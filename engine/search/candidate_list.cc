#include "engine/search/candidate_list.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <tuple>

namespace cairn::search {
namespace {

struct Before {
  bool operator()(const Candidate& a, const Candidate& b) const {
    if (a.distance != b.distance) return a.distance < b.distance;
    return std::tie(a.segment, a.slot) < std::tie(b.segment, b.slot);
  }
};
constexpr Before before;

bool same(const Candidate& a, const Candidate& b) {
  return a.distance == b.distance && a.segment == b.segment && a.slot == b.slot;
}

/// A step of a search brings a handful: insertion beats a general sort there.
void sort_batch(Candidate* items, std::size_t count) {
  constexpr std::size_t kInsertionMax = 24;
  if (count > kInsertionMax) {
    std::sort(items, items + count, before);
    return;
  }
  for (std::size_t i = 1; i < count; ++i) {
    const Candidate moving = items[i];
    std::size_t at = i;
    for (; at > 0 && before(moving, items[at - 1]); --at) items[at] = items[at - 1];
    items[at] = moving;
  }
}

/// First of items[from..size) that is not before `wanted`. The comparison of distances selects
/// without a branch, as it cannot be predicted; equal distances are rare and settled at the end.
std::size_t lower_bound(const Candidate* items, std::size_t from, std::size_t size,
                        const Candidate& wanted) {
  const Candidate* base = items + from;
  std::size_t length = size - from;
  while (length > 1) {
    const std::size_t half = length / 2;
    base += base[half - 1].distance < wanted.distance ? half : 0;
    length -= half;
  }
  if (length == 1 && base->distance < wanted.distance) ++base;
  while (base < items + size && before(*base, wanted)) ++base;
  return static_cast<std::size_t>(base - items);
}

}  // namespace

void CandidateList::reset(std::size_t capacity) {
  items_.clear();
  items_.reserve(capacity);
  capacity_ = capacity;
  std::fill(std::begin(cursor_), std::end(cursor_), 0);
}

void CandidateList::offer(std::uint32_t segment, std::span<const std::uint32_t> slots,
                          const float* distances, std::uint32_t flags) {
  float limit = bound();
  std::size_t count = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!(distances[i] <= limit)) continue;
    batch_[count++] = {distances[i], segment, slots[i], flags};
    if (count < kBatch) continue;
    flush(count);
    count = 0;
    limit = bound();
  }
  flush(count);
}

void CandidateList::flush(std::size_t count) {
  sort_batch(batch_, count);
  count = drop_known(count);
  if (count != 0) merge(count);
}

std::size_t CandidateList::drop_known(std::size_t count) {
  std::size_t kept = 0;
  std::size_t from = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (kept != 0 && same(batch_[kept - 1], batch_[i])) continue;
    from = lower_bound(items_.data(), from, items_.size(), batch_[i]);
    if (from < items_.size() && same(items_[from], batch_[i])) {
      items_[from].flags |= batch_[i].flags;
      continue;
    }
    position_[kept] = static_cast<std::uint32_t>(from);
    batch_[kept++] = batch_[i];
  }
  return kept;
}

void CandidateList::merge(std::size_t count) {
  const std::size_t old_size = items_.size();
  const std::size_t new_size = std::min(capacity_, old_size + count);
  for (std::size_t& cursor : cursor_) cursor = std::min(cursor, std::size_t{position_[0]});
  items_.resize(new_size);
  // From the back: what stands behind batch_[i] moves up by i + 1 places, as far as there is room.
  std::size_t end = old_size;
  for (std::size_t i = count; i-- > 0;) {
    const std::size_t at = position_[i];
    const std::size_t to = at + i + 1;
    if (to < new_size) {
      const std::size_t moved = std::min(end - at, new_size - to);
      std::copy_backward(items_.begin() + static_cast<std::ptrdiff_t>(at),
                         items_.begin() + static_cast<std::ptrdiff_t>(at + moved),
                         items_.begin() + static_cast<std::ptrdiff_t>(to + moved));
    }
    if (at + i < new_size) items_[at + i] = batch_[i];
    end = at;
  }
}

bool CandidateList::contains(float distance, std::uint32_t segment, std::uint32_t slot) const {
  const Candidate wanted{distance, segment, slot, 0};
  const std::size_t at = lower_bound(items_.data(), 0, items_.size(), wanted);
  return at < items_.size() && same(items_[at], wanted);
}

std::uint32_t CandidateList::next_without(CandidateFlag flag, std::size_t limit) {
  std::size_t& cursor = cursor_[std::countr_zero(static_cast<std::uint32_t>(flag))];
  const std::size_t end = std::min(limit, items_.size());
  while (cursor < end && (items_[cursor].flags & flag) != 0) ++cursor;
  return cursor < end ? static_cast<std::uint32_t>(cursor) : kNone;
}

void CandidateList::sort() {
  std::sort(items_.begin(), items_.end(), before);
  std::fill(std::begin(cursor_), std::end(cursor_), 0);
}

}  // namespace cairn::search
