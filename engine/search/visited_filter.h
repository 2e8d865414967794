// Which candidates have already been scored. Direct-mapped and lossy: a collision forgets the older
// one and costs a second scoring, never a wrong answer; what it says it has seen, it has seen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn::search {

class VisitedFilter {
 public:
  static constexpr std::uint32_t kBits = 13;
  static constexpr std::uint32_t kEntries = 1u << kBits;

  VisitedFilter() : slots_(kEntries, kEmpty) {}
  void clear() { std::fill(slots_.begin(), slots_.end(), kEmpty); }

  /// Whether (segment, slot) is new; remembers it. The entry's position gives back the segment for
  /// a known slot, so the slot alone need be stored; segments beyond kEntries are always new.
  bool insert(std::uint32_t segment, std::uint32_t slot) {
    if (segment >= kEntries) return true;
    const std::uint32_t at = ((slot * 0x9e37'79b1u) >> (32 - kBits)) ^ segment;
    const bool is_new = slots_[at] != slot;
    slots_[at] = slot;
    return is_new;
  }

  std::size_t ram_bytes() const { return slots_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kEmpty = 0xffff'ffffu;  // no slot: segments hold fewer
  std::vector<std::uint32_t> slots_;
};

}  // namespace cairn::search
