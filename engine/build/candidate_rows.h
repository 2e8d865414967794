// Candidate edges of every node while leaves are processed: per node the `capacity` nearest
// distinct candidates seen so far, by (distance, id). What a row holds in the end does not depend
// on the order of arrival, hence not on threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cairn::build {

struct Candidate {
  float distance;
  std::uint32_t id;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  }
};

class CandidateRows {
 public:
  CandidateRows(std::size_t count, std::uint32_t capacity);
  /// RAM of a candidate's place, and of a row beside its places.
  static constexpr std::uint64_t kSlotBytes = 8, kRowBytes = 4;
  /// Offers candidates to a node's row. Thread-safe. O(candidates * capacity / SIMD width).
  void offer(std::uint32_t node, std::span<const Candidate> candidates);
  /// The row, ascending by (distance, id). Call when no offer() is running.
  void sorted(std::uint32_t node, std::vector<Candidate>& out) const;
  std::uint32_t capacity() const { return capacity_; }
  std::size_t count() const { return sizes_.size(); }

  /// Puts what became of a row in its place, at most capacity() candidates in any order. After it
  /// the row takes no offers.
  void replace(std::uint32_t node, std::span<const Candidate> row);
  std::span<const std::uint32_t> ids(std::uint32_t node) const {
    return {ids_.data() + std::size_t{node} * capacity_, sizes_[node]};
  }
  std::span<const float> distances(std::uint32_t node) const {
    return {distances_.data() + std::size_t{node} * capacity_, sizes_[node]};
  }

 private:
  void insert(std::uint32_t node, const Candidate& candidate);

  std::uint32_t capacity_;
  std::vector<std::uint32_t> ids_;    // count x capacity
  std::vector<float> distances_;      // count x capacity
  std::vector<std::uint16_t> sizes_;  // count
  std::vector<std::uint16_t> worst_;  // place of the farthest, valid when full
  std::vector<std::atomic_flag> locks_;
};

}  // namespace cairn::build
