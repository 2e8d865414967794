#include "tools/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace cairn::tools {
namespace {

tl::unexpected<Error> not_a_size(std::string_view text) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read a size",
               .found = fmt::format("'{}'", text),
               .expected = "512M, 8G or 60B/v"});
}

std::optional<int> shift_of(char unit) {
  switch (unit) {
    case 'B':
      return 0;
    case 'K':
      return 10;
    case 'M':
      return 20;
    case 'G':
      return 30;
    case 'T':
      return 40;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::uint64_t Size::total(std::uint64_t vectors) const {
  const double product = per_vector ? bytes * static_cast<double>(vectors) : bytes;
  return product < 0x1p64 ? static_cast<std::uint64_t>(product)
                          : std::numeric_limits<std::uint64_t>::max();
}

Result<Size> parse_size(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !(number >= 0)) return not_a_size(text);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  Size size;
  if (unit.ends_with("/v")) {
    size.per_vector = true;
    unit.remove_suffix(2);
    if (unit.empty()) return not_a_size(text);
  }
  const auto shift = shift_of(unit.empty() ? 'B' : unit.front());
  const std::string_view tail = unit.empty() ? unit : unit.substr(1);
  const bool tail_known = tail.empty() || (unit.front() != 'B' && (tail == "B" || tail == "iB"));
  if (!shift || !tail_known) return not_a_size(text);
  size.bytes = std::ldexp(number, *shift);
  if (size.bytes >= 0x1p63) return not_a_size(text);
  return size;
}

std::string show_bytes(std::uint64_t bytes) {
  constexpr std::array units = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  if (unit == 0) return fmt::format("{} bytes", bytes);
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string show_count(std::uint64_t value) {
  if (value < 1000) return std::to_string(value);
  return fmt::format("{},{:03}", show_count(value / 1000), value % 1000);
}

std::string show_duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f}s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

}  // namespace cairn::tools
