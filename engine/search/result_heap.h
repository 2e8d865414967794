// The best exact results of a search: a bounded max-heap by (distance, label).
#pragma once

#include <cairn/index.h>

#include <cstddef>
#include <span>
#include <vector>

namespace cairn::search {

class ResultHeap {
 public:
  /// Keeps `k` results with distinct labels. A label may stand once in each of `segments`, so that
  /// many times k are held; never more than `vectors`.
  void reset(std::uint64_t k, std::uint64_t segments, std::uint64_t vectors);

  /// Whether a result at `distance` could still be kept; counts the refusal.
  bool admits(float distance) {
    if (items_.size() < capacity_ || distance <= items_.front().distance) return true;
    refused_ = true;
    return false;
  }
  /// Whether there are as many results as were asked for.
  bool full() const { return items_.size() >= capacity_; }
  /// How many are missing to that.
  std::size_t missing() const { return capacity_ - items_.size(); }
  /// The farthest of the results of a full heap.
  float farthest() const { return items_.front().distance; }
  /// Results no farther than `distance`. O(k).
  std::uint32_t within(float distance) const;
  /// O(log k).
  void insert(const Neighbor& neighbor);

  /// Whether a result was ever refused or dropped for want of room.
  bool overflowed() const { return refused_; }
  /// The best k, ascending by (distance, label), labels distinct. The heap is used up.
  std::vector<Neighbor> take();

  std::size_t ram_bytes() const { return items_.capacity() * sizeof(Neighbor); }

 private:
  void keep_best_of_each_label();

  std::vector<Neighbor> items_;
  std::size_t k_ = 0;
  std::size_t capacity_ = 0;
  bool may_repeat_ = false;
  bool refused_ = false;
};

}  // namespace cairn::search
