// Sizes, counts and times as people write them on a command line, and as they read them back.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::tools {

/// A size in bytes, or in bytes for each vector of the index it is applied to.
struct Size {
  double bytes = 0;  // at least 0, below 2^63
  bool per_vector = false;

  /// Whole bytes, times `vectors` where it is per vector; saturates.
  std::uint64_t total(std::uint64_t vectors) const;
};

/// "4096", "64K", "512M", "8G", "8GB", "8GiB", "1.5T" (all binary units), "60B" or "60.5B/v"; no
/// space between. invalid_argument for anything else, a negative value or an overflow.
Result<Size> parse_size(std::string_view text);

/// How many of something: "50000000", "50M", "1.5G" or "1.5B", "20K" (powers of 1000). A whole
/// number of at least 1, below 2^53. invalid_argument for anything else.
Result<std::uint64_t> parse_count(std::string_view text);

/// Seconds: "500us", "20ms", "1.5s", "2m", "3h"; above 0, at most 1e9 s, the unit is not left out.
/// invalid_argument for anything else.
Result<double> parse_duration(std::string_view text);

/// 1536 -> "1.5 KiB"; at most one decimal.
std::string show_bytes(std::uint64_t bytes);

/// 1234567 -> "1,234,567".
std::string show_count(std::uint64_t value);

/// 75 s -> "1m15s".
std::string show_duration(double seconds);

}  // namespace cairn::tools
