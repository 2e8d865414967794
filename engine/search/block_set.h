// The blocks that a query has wanted: open addressing with linear probing, at most half full.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn::search {

class BlockSet {
 public:
  /// Empties the set and makes room for `expected` blocks; more make it grow.
  void reset(std::size_t expected) {
    const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(64, 2 * expected));
    keys_.assign(wanted, kEmpty);
    size_ = 0;
  }

  /// Whether the block is new; remembers it.
  bool insert(std::uint32_t segment, std::uint32_t first_slot) {
    if (2 * (size_ + 1) > keys_.size()) grow();
    const bool is_new = place(std::uint64_t{segment} << 32 | first_slot);
    size_ += is_new;
    return is_new;
  }

  bool contains(std::uint32_t segment, std::uint32_t first_slot) const {
    const std::uint64_t key = std::uint64_t{segment} << 32 | first_slot;
    std::size_t at = start(key);
    while (keys_[at] != kEmpty && keys_[at] != key) at = (at + 1) & (keys_.size() - 1);
    return keys_[at] == key;
  }

  std::size_t ram_bytes() const { return keys_.capacity() * sizeof(std::uint64_t); }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};  // no slot is 2^32 - 1

  std::size_t start(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9e37'79b9'7f4a'7c15ULL) >> 32) & (keys_.size() - 1);
  }

  bool place(std::uint64_t key) {
    std::size_t at = start(key);
    while (keys_[at] != kEmpty && keys_[at] != key) at = (at + 1) & (keys_.size() - 1);
    if (keys_[at] == key) return false;
    keys_[at] = key;
    return true;
  }

  void grow() {
    std::vector<std::uint64_t> old(keys_.size() * 2, kEmpty);
    old.swap(keys_);
    for (const std::uint64_t key : old)
      if (key != kEmpty) place(key);
  }

  std::vector<std::uint64_t> keys_;
  std::size_t size_ = 0;
};

}  // namespace cairn::search
