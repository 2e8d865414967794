// A hash table from keys to small numbers for a fixed number of entries, allocated once. The keys
// live with their entries and are asked for, so a cell costs 4 bytes. Open addressing with linear
// probing at most half full; removal shifts back (Knuth, TAOCP 3, 6.4, algorithm R), so there are
// no tombstones to clean up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn::io {

/// Finalizer of splitmix64 (Steele, Lea, Flood 2014): every bit of `x` reaches every other.
inline std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebULL;
  return x ^ (x >> 31);
}

class SlotTable {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffffu;

  explicit SlotTable(std::size_t entries_max) : cells_(cells_for(entries_max), kNone) {}

  static std::size_t cells_for(std::size_t entries_max) { return 2 * entries_max + 1; }
  std::size_t ram_bytes() const { return cells_.capacity() * sizeof(std::uint32_t); }

  /// The slot whose key has `hash` and for which `is(slot)` holds, or kNone.
  template <class Is>
  std::uint32_t find(std::uint64_t hash, Is is) const {
    for (std::size_t at = home(hash); cells_[at] != kNone; at = after(at))
      if (is(cells_[at])) return cells_[at];
    return kNone;
  }

  /// `slot` must not be in the table, and less than entries_max be.
  void insert(std::uint64_t hash, std::uint32_t slot) {
    std::size_t at = home(hash);
    while (cells_[at] != kNone) at = after(at);
    cells_[at] = slot;
  }

  /// `slot`, whose key has `hash`, must be in the table; `hash_of(slot)` gives any slot's.
  template <class HashOf>
  void erase(std::uint64_t hash, std::uint32_t slot, HashOf hash_of) {
    std::size_t hole = home(hash);
    while (cells_[hole] != slot) hole = after(hole);
    for (std::size_t at = after(hole); cells_[at] != kNone; at = after(at)) {
      // A cell may fill the hole unless its home lies after the hole, cyclically.
      const std::size_t from_home = distance(home(hash_of(cells_[at])), at);
      if (from_home < distance(hole, at)) continue;
      cells_[hole] = cells_[at];
      hole = at;
    }
    cells_[hole] = kNone;
  }

  void clear() { cells_.assign(cells_.size(), kNone); }

 private:
  // Lemire's multiplication instead of a remainder: any number of cells, so memory is exact.
  std::size_t home(std::uint64_t hash) const {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(hash) * cells_.size()) >> 64);
  }
  std::size_t after(std::size_t at) const { return at + 1 == cells_.size() ? 0 : at + 1; }
  std::size_t distance(std::size_t from, std::size_t to) const {
    return to >= from ? to - from : to + cells_.size() - from;
  }

  std::vector<std::uint32_t> cells_;
};

}  // namespace cairn::io
