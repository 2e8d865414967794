// The k nearest seen so far of one query, ties by id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace cairn::search {

class NearestHeap {
 public:
  struct Entry {
    float distance = 0;
    std::uint32_t id = 0;
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
    }
  };

  explicit NearestHeap(std::uint32_t k) : k_(k) { entries_.reserve(k); }

  /// Nothing farther than this can enter.
  float worst() const {
    return entries_.size() < k_ ? std::numeric_limits<float>::infinity()
                                : entries_.front().distance;
  }

  /// O(log k). `distance` is not NaN.
  void offer(Entry entry) {
    if (entries_.size() < k_) {
      entries_.push_back(entry);
      std::push_heap(entries_.begin(), entries_.end());
    } else if (entry < entries_.front()) {
      std::pop_heap(entries_.begin(), entries_.end());
      entries_.back() = entry;
      std::push_heap(entries_.begin(), entries_.end());
    }
  }

  /// Ascending; the heap is used up.
  const std::vector<Entry>& sorted() {
    std::sort_heap(entries_.begin(), entries_.end());
    return entries_;
  }

 private:
  std::size_t k_;
  std::vector<Entry> entries_;
};

}  // namespace cairn::search
