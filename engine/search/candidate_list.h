// The bounded list of a search: candidates ascending by (code distance, segment, slot), the worst
// dropped first. A candidate is told from another by that whole key alone, so offering one twice is
// harmless, and once the list is full its bound only falls, unless it is told to hold more: what
// was refused or dropped can never come back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace cairn::search {

struct Candidate {
  float distance = 0;
  std::uint32_t segment = 0;
  std::uint32_t slot = 0;
  std::uint32_t flags = 0;
};

/// What a candidate has been through.
enum CandidateFlag : std::uint32_t {
  kExpanded = 1,  // its out-edges were followed
  kRead = 2,      // its block is wanted or has arrived
  kRefined = 4,   // it was offered to the list that is ordered by the refined distance
};

class CandidateList {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffffu;

  /// Empties the list. Allocates only when `capacity` exceeds every earlier one.
  void reset(std::size_t capacity);
  /// Keeps the best `limit` from here on, at most the capacity of the last reset() and no fewer
  /// than it holds.
  void hold(std::size_t limit) { capacity_ = limit; }

  std::size_t size() const { return items_.size(); }
  bool full() const { return items_.size() == capacity_; }
  const Candidate& operator[](std::size_t i) const { return items_[i]; }
  /// Nothing farther than this is taken.
  float bound() const {
    return full() ? items_.back().distance : std::numeric_limits<float>::max();
  }

  /// Inserts distances[i] of slots[i], all finite, with `flags`; a candidate that is already there
  /// has them added. O(count + size) a batch of kBatch that the bound lets through.
  void offer(std::uint32_t segment, std::span<const std::uint32_t> slots, const float* distances,
             std::uint32_t flags);

  /// Whether this candidate is in the list. O(log size).
  bool contains(float distance, std::uint32_t segment, std::uint32_t slot) const;

  /// Best candidate without `flag` among the first `limit`, or kNone. Amortised O(1).
  std::uint32_t next_without(CandidateFlag flag, std::size_t limit);
  void set(std::uint32_t i, CandidateFlag flag) { items_[i].flags |= flag; }

  /// Appends without order, for a list whose capacity holds everything; sort() must follow.
  void append(const Candidate& candidate) { items_.push_back(candidate); }
  void sort();

  std::size_t ram_bytes() const { return items_.capacity() * sizeof(Candidate); }

 private:
  static constexpr std::size_t kBatch = 64;

  void flush(std::size_t count);
  void sort_batch(std::size_t count);
  std::size_t drop_known(std::size_t count);
  void merge(std::size_t count);

  std::vector<Candidate> items_;
  std::size_t capacity_ = 0;
  std::size_t cursor_[3] = {0, 0, 0};  // of each flag: everything before it has the flag
  Candidate unsorted_[kBatch];
  Candidate batch_[kBatch];
  std::uint32_t position_[kBatch];  // of batch_[i], before the merge
};

}  // namespace cairn::search
