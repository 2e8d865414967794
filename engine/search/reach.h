// What can be walked to from the entry points, over the edges on disk.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/search/index_folder.h"
#include "layout/streams.h"

namespace cairn::search {

/// One bit a slot.
class SlotBits {
 public:
  explicit SlotBits(std::uint64_t count) : words_((count + 63) / 64) {}
  bool test(std::uint64_t i) const { return (words_[i >> 6] >> (i & 63)) & 1u; }
  void set(std::uint64_t i) { words_[i >> 6] |= std::uint64_t{1} << (i & 63); }
  std::uint64_t word(std::size_t w) const { return words_[w]; }
  std::size_t words() const { return words_.size(); }

 private:
  std::vector<std::uint64_t> words_;
};

/// The slots of `of` that are not in `in`.
struct MissingSlots {
  std::uint64_t count = 0;
  std::uint32_t first = 0;
};
MissingSlots missing_slots(const SlotBits& of, const SlotBits& in);

/// The slots of a segment that the heads and samples of its entry points lead to, by directed
/// edges: sweeps over the blocks, forward and back in turn, that read only blocks with something to
/// expand, until a sweep finds nothing. corrupt, io. O(blocks read a sweep), 2 bits a slot and
/// 1 MiB.
Result<SlotBits> reachable_slots(const IndexFolder& folder, const layout::SegmentRecord& segment,
                                 const layout::Entries& entries, bool direct);

}  // namespace cairn::search
