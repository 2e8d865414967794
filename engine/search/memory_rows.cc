#include "engine/search/memory_rows.h"

#include <algorithm>
#include <cstring>

namespace cairn::search {

Result<std::size_t> MemoryRows::read(std::span<std::byte> rows) {
  const std::size_t fits = rows.size() / batch_.row_bytes();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(fits, batch_.count - next_));
  if (count != 0) std::memcpy(rows.data(), batch_.row(next_).data, count * batch_.row_bytes());
  next_ += count;
  return count;
}

}  // namespace cairn::search
