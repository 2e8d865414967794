// Sizes and recall as people write them on a command line, and as they read them back.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::tools {

/// A size in bytes, or in bytes for each vector of the index it is applied to.
struct Size {
  std::uint64_t bytes = 0;
  bool per_vector = false;

  /// bytes, times `vectors` where it is per vector; saturates.
  std::uint64_t total(std::uint64_t vectors) const;
};

/// "4096", "64K", "512M", "8G", "1.5T" (binary units), "60B/v" or "60B" with or without a space.
/// invalid_argument for anything else, a negative value or an overflow.
Result<Size> parse_size(std::string_view text);

/// 1536 -> "1.5 KiB"; at most one decimal.
std::string show_bytes(std::uint64_t bytes);

/// 1234567 -> "1,234,567".
std::string show_count(std::uint64_t value);

/// 75 s -> "1m15s".
std::string show_duration(double seconds);

}  // namespace cairn::tools
