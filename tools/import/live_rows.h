// The elements of an index that are not deleted, numbered through: a bit and a half an element.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace cairn::tools {

class LiveRows {
 public:
  LiveRows(std::uint64_t elements, const std::function<bool(std::uint64_t)>& deleted);

  /// Of elements that are not deleted.
  std::uint64_t count() const { return before_.back(); }
  bool live(std::uint64_t element) const { return (bits_[element / 64] >> element % 64 & 1) != 0; }
  /// Number of a live element, or of the next one behind a deleted one. O(1).
  std::uint64_t row_of(std::uint64_t element) const;
  /// The element that has the number. O(log elements).
  std::uint64_t element_of(std::uint64_t row) const;

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> before_;  // live elements before each word of the bits, then all
};

}  // namespace cairn::tools
