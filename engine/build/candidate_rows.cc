#include "engine/build/candidate_rows.h"

#include <algorithm>
#include <thread>

#include "engine/math/row_scan.h"

namespace cairn::build {
namespace {

constexpr std::size_t kLocks = 1u << 14;  // power of two; collisions only cost a short wait

class SpinGuard {
 public:
  explicit SpinGuard(std::atomic_flag& flag) : flag_(flag) {
    for (int spins = 0; flag_.test_and_set(std::memory_order_acquire); ++spins)
      if (spins > 64) std::this_thread::yield();
  }
  ~SpinGuard() { flag_.clear(std::memory_order_release); }
  SpinGuard(const SpinGuard&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace

CandidateRows::CandidateRows(std::size_t count, std::uint32_t capacity)
    : capacity_(capacity),
      ids_(count * capacity),
      distances_(count * capacity),
      sizes_(count),
      worst_(count),
      locks_(kLocks) {}

void CandidateRows::offer(std::uint32_t node, std::span<const Candidate> candidates) {
  const SpinGuard guard(locks_[node & (kLocks - 1)]);
  for (const Candidate& candidate : candidates) insert(node, candidate);
}

void CandidateRows::insert(std::uint32_t node, const Candidate& candidate) {
  std::uint32_t* ids = ids_.data() + std::size_t{node} * capacity_;
  float* distances = distances_.data() + std::size_t{node} * capacity_;
  const std::size_t size = sizes_[node];
  if (size == capacity_) {
    const std::size_t worst = worst_[node];
    if (!(candidate < Candidate{distances[worst], ids[worst]})) return;
  }
  if (math::contains(ids, size, candidate.id)) return;
  const std::size_t place = size < capacity_ ? size : worst_[node];
  ids[place] = candidate.id;
  distances[place] = candidate.distance;
  if (size < capacity_) sizes_[node] = static_cast<std::uint16_t>(size + 1);
  if (sizes_[node] < capacity_) return;
  worst_[node] = static_cast<std::uint16_t>(math::farthest(distances, ids, capacity_));
}

void CandidateRows::sorted(std::uint32_t node, std::vector<Candidate>& out) const {
  const std::size_t at = std::size_t{node} * capacity_;
  out.resize(sizes_[node]);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {distances_[at + i], ids_[at + i]};
  std::sort(out.begin(), out.end());
}

void CandidateRows::replace(std::uint32_t node, std::span<const Candidate> row) {
  std::size_t at = std::size_t{node} * capacity_;
  for (const Candidate& candidate : row) {
    ids_[at] = candidate.id;
    distances_[at++] = candidate.distance;
  }
  sizes_[node] = static_cast<std::uint16_t>(row.size());
}

}  // namespace cairn::build
