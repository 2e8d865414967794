#include "tools/import/live_rows.h"

#include <algorithm>
#include <bit>

namespace cairn::tools {

LiveRows::LiveRows(std::uint64_t elements, const std::function<bool(std::uint64_t)>& deleted)
    : bits_((elements + 63) / 64), before_(bits_.size() + 1) {
  for (std::uint64_t element = 0; element < elements; ++element)
    if (!deleted(element)) bits_[element / 64] |= std::uint64_t{1} << element % 64;
  for (std::size_t word = 0; word < bits_.size(); ++word)
    before_[word + 1] = before_[word] + static_cast<std::uint32_t>(std::popcount(bits_[word]));
}

std::uint64_t LiveRows::row_of(std::uint64_t element) const {
  const std::uint64_t below = (std::uint64_t{1} << element % 64) - 1;
  return before_[element / 64] +
         static_cast<std::uint64_t>(std::popcount(bits_[element / 64] & below));
}

std::uint64_t LiveRows::element_of(std::uint64_t row) const {
  const auto after = std::upper_bound(before_.begin(), before_.end(), row);
  const auto word = static_cast<std::size_t>(after - before_.begin()) - 1;
  std::uint64_t bits = bits_[word];
  for (std::uint64_t skip = row - before_[word]; skip != 0; --skip) bits &= bits - 1;
  return std::uint64_t{word} * 64 + static_cast<std::uint64_t>(std::countr_zero(bits));
}

}  // namespace cairn::tools
