// Files of 64-bit labels: decimal text, one a line, or `.u64bin`: u32 count, u32 1, then u64 each,
// little-endian, as the other big-ann files have it.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::tools {

/// Exactly `count` labels; invalid_argument or corrupt, naming the line, otherwise.
Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count);

}  // namespace cairn::tools
