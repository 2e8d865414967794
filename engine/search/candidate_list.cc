#include "engine/search/candidate_list.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
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

/// The places of distances[0..count) in ascending order, by counting: comparisons in whole vectors
/// beat the branches of a sort, which nothing predicts. False when some are equal. `distances` may
/// be written up to the next multiple of kStep.
constexpr std::size_t kStep = 8;
bool rank(float* distances, std::size_t count, std::uint32_t* places) {
  std::size_t end = count;
  for (; end % kStep != 0; ++end) distances[end] = std::numeric_limits<float>::infinity();
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float mine = distances[i];
    std::uint32_t nearer = 0;
    for (std::size_t j = 0; j < end; j += kStep)
      for (std::size_t l = 0; l < kStep; ++l) nearer += distances[j + l] < mine ? 1 : 0;
    places[i] = nearer;
    sum += nearer;
  }
  return sum == count * (count - 1) / 2;
}

/// First of items[0..size) that is not before `wanted`. The comparison of distances selects by
/// a mask, as it cannot be predicted and a conditional expression became a branch under GCC 12;
/// equal distances are rare and settled at the end.
std::size_t lower_bound(const Candidate* items, std::size_t size, const Candidate& wanted) {
  const Candidate* base = items;
  std::size_t length = size;
  while (length > 1) {
    const std::size_t half = length / 2;
    const std::size_t nearer = base[half - 1].distance < wanted.distance;
    base += half & (std::size_t{0} - nearer);
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
    unsorted_[count++] = {distances[i], segment, slots[i], flags};
    if (count < kBatch) continue;
    flush(count);
    count = 0;
    limit = bound();
  }
  flush(count);
}

void CandidateList::flush(std::size_t count) {
  if (count == 0) return;
  sort_batch(count);
  count = drop_known(count);
  if (count != 0) merge(count);
}

void CandidateList::sort_batch(std::size_t count) {
  static_assert(kBatch % kStep == 0);
  float distances[kBatch];
  for (std::size_t i = 0; i < count; ++i) distances[i] = unsorted_[i].distance;
  if (rank(distances, count, position_)) {
    for (std::size_t i = 0; i < count; ++i) batch_[position_[i]] = unsorted_[i];
    return;
  }
  std::copy_n(unsorted_, count, batch_);
  std::sort(batch_, batch_ + count, before);
}

std::size_t CandidateList::drop_known(std::size_t count) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (kept != 0 && same(batch_[kept - 1], batch_[i])) continue;
    // Not from the last place on: searches that do not wait for each other overlap.
    const std::size_t at = lower_bound(items_.data(), items_.size(), batch_[i]);
    if (at < items_.size() && same(items_[at], batch_[i])) {
      items_[at].flags |= batch_[i].flags;
      continue;
    }
    position_[kept] = static_cast<std::uint32_t>(at);
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
  const std::size_t at = lower_bound(items_.data(), items_.size(), wanted);
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
