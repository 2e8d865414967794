#include "tools/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

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

/// A number and one of the units, nothing before, between or behind.
template <std::size_t N>
std::optional<double> with_unit(std::string_view text,
                                const std::array<std::pair<std::string_view, double>, N>& units) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, factor] : units)
    if (unit == name && std::isfinite(number)) return number * factor;
  return std::nullopt;
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

Result<std::uint64_t> parse_count(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 7> units = {
      {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"B", 1e9}, {"T", 1e12}}};
  if (const auto number = with_unit(text, units))
    if (*number >= 1 && *number < 0x1p53 && *number == std::floor(*number))
      return static_cast<std::uint64_t>(*number);
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read a count",
               .found = fmt::format("'{}'", text),
               .expected = "a whole number such as 50M or 50000000"});
}

Result<double> parse_duration(std::string_view text) {
  constexpr double kSecondsMax = 1e9;
  constexpr std::array<std::pair<std::string_view, double>, 5> units = {
      {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
  if (const auto seconds = with_unit(text, units); seconds && *seconds > 0)
    if (*seconds <= kSecondsMax) return *seconds;
  return fail({.code = ErrorCode::invalid_argument,
               .what = "read a time",
               .found = fmt::format("'{}'", text),
               .expected = "a time with its unit such as 20ms or 1.5s"});
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
