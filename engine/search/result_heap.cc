#include "engine/search/result_heap.h"

#include <algorithm>
#include <tuple>

namespace cairn::search {
namespace {

constexpr std::size_t kReserveMax = 4096;

bool nearer(const Neighbor& a, const Neighbor& b) {
  return std::tie(a.distance, a.label) < std::tie(b.distance, b.label);
}

}  // namespace

void ResultHeap::reset(std::uint64_t k, std::uint64_t segments, std::uint64_t vectors) {
  items_.clear();
  k_ = static_cast<std::size_t>(std::min(k, vectors));
  capacity_ = static_cast<std::size_t>(std::min(k_ * segments, vectors));
  items_.reserve(std::min(capacity_, kReserveMax));
  may_repeat_ = segments > 1;
  refused_ = false;
}

std::uint32_t ResultHeap::within(float distance) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      items_, [distance](const Neighbor& item) { return item.distance <= distance; }));
}

void ResultHeap::insert(const Neighbor& neighbor) {
  if (items_.size() == capacity_) {
    refused_ = true;
    if (capacity_ == 0 || !nearer(neighbor, items_.front())) return;
    std::pop_heap(items_.begin(), items_.end(), nearer);
    items_.pop_back();
  }
  items_.push_back(neighbor);
  std::push_heap(items_.begin(), items_.end(), nearer);
}

std::vector<Neighbor> ResultHeap::take() {
  if (may_repeat_) keep_best_of_each_label();
  std::sort(items_.begin(), items_.end(), nearer);
  refused_ |= items_.size() > k_;
  const std::size_t count = std::min(items_.size(), k_);
  std::vector<Neighbor> best(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(count));
  items_.clear();
  return best;
}

void ResultHeap::keep_best_of_each_label() {
  std::sort(items_.begin(), items_.end(), [](const Neighbor& a, const Neighbor& b) {
    return std::tie(a.label, a.distance) < std::tie(b.label, b.distance);
  });
  const auto end =
      std::unique(items_.begin(), items_.end(),
                  [](const Neighbor& a, const Neighbor& b) { return a.label == b.label; });
  items_.erase(end, items_.end());
}

}  // namespace cairn::search
