// Numbers of a command line: sizes, counts, times, and the two checks of plain numbers. The whole
// input is the text, and every parser reads it.
#include "tools/units.h"

#include <cmath>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tools/cli.h"

namespace {

using namespace cairn;
using namespace cairn::tools;

template <class T>
bool taken(const Result<T>& result) {
  if (result) return true;
  FUZZ_REQUIRE(result.error().code == ErrorCode::invalid_argument);
  FUZZ_REQUIRE(!result.error().found.empty() && !result.error().expected.empty());
  return false;
}

void size(std::string_view text) {
  const auto size = parse_size(text);
  if (!taken(size)) return;
  FUZZ_REQUIRE(size->bytes >= 0 && size->bytes < 0x1p63);
  FUZZ_REQUIRE(size->total(1) == size->total(0) || size->per_vector);
  FUZZ_REQUIRE(size->total(~std::uint64_t{0}) >= size->total(1));
  FUZZ_REQUIRE(!show_bytes(size->total(3)).empty());
  // Whole bytes written out are the same size.
  const std::uint64_t whole = size->total(1);
  const auto again = parse_size(std::to_string(whole) + (size->per_vector ? "B/v" : "B"));
  FUZZ_REQUIRE(again && again->per_vector == size->per_vector && again->total(1) == whole);
}

void count(std::string_view text) {
  const auto count = parse_count(text);
  if (!taken(count)) return;
  FUZZ_REQUIRE(*count >= 1 && *count < (std::uint64_t{1} << 53));
  FUZZ_REQUIRE(parse_count(std::to_string(*count)).value_or(0) == *count);
  std::string digits = show_count(*count);
  std::erase(digits, ',');
  FUZZ_REQUIRE(digits == std::to_string(*count));
}

void duration(std::string_view text) {
  const auto seconds = parse_duration(text);
  if (!taken(seconds)) return;
  FUZZ_REQUIRE(*seconds > 0 && *seconds <= 1e9);
  FUZZ_REQUIRE(!show_duration(*seconds).empty());
}

/// A validator answers with what is wrong. What passes is such a number when read another way.
void plain(const std::string& text) {
  std::string number = text;
  if (at_least(3)(number).empty()) {
    FUZZ_REQUIRE(number == text && text.find_first_not_of("0123456789") == std::string::npos);
    FUZZ_REQUIRE(std::stoull(text) >= 3);
  }
  if (within(-1, 1)(number).empty()) {
    const double value = std::strtod(text.c_str(), nullptr);
    FUZZ_REQUIRE(number == text && value >= -1 && value <= 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
  const std::string_view text = fuzz::Input(data, length).text();
  size(text);
  count(text);
  duration(text);
  plain(std::string(text));
  return 0;
}
