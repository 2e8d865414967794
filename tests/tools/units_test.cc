#include "tools/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace cairn::tools {
namespace {

std::uint64_t bytes_of(std::string_view text) {
  const auto size = parse_size(text);
  EXPECT_TRUE(size) << text;
  return size ? size->total(1) : 0;
}

TEST(ParseCount, PowersOfAThousand) {
  EXPECT_EQ(*parse_count("50M"), 50'000'000U);
  EXPECT_EQ(*parse_count("1500000"), 1'500'000U);
  EXPECT_EQ(*parse_count("1.5B"), 1'500'000'000U);
  EXPECT_EQ(*parse_count("2G"), 2'000'000'000U);
  EXPECT_EQ(*parse_count("20K"), 20'000U);
  EXPECT_EQ(*parse_count("500k"), 500'000U);
  EXPECT_EQ(*parse_count("1"), 1U);
  for (const char* text : {"", "0", "-5", "1.5", "50 M", "50Mi", "M", "50MM", "nan", "inf", "1e6",
                           "99999999T", "0x10", "50m"})
    EXPECT_FALSE(parse_count(text)) << text;
  EXPECT_NE(parse_count("50X").error().to_string().find("'50X'"), std::string::npos);
}

TEST(ParseDuration, NeedsItsUnit) {
  EXPECT_DOUBLE_EQ(*parse_duration("20ms"), 0.02);
  EXPECT_DOUBLE_EQ(*parse_duration("500us"), 5e-4);
  EXPECT_DOUBLE_EQ(*parse_duration("1.5s"), 1.5);
  EXPECT_DOUBLE_EQ(*parse_duration("2m"), 120);
  EXPECT_DOUBLE_EQ(*parse_duration("3h"), 10800);
  for (const char* text : {"", "20", "0ms", "-1s", "20 ms", "ms", "20MS", "inf s", "infs", "nans",
                           "999999999h", "20msec"})
    EXPECT_FALSE(parse_duration(text)) << text;
  EXPECT_NE(parse_duration("20").error().to_string().find("20ms"), std::string::npos);
}

TEST(ParseSize, BinaryUnits) {
  EXPECT_EQ(bytes_of("4096"), 4096U);
  EXPECT_EQ(bytes_of("0"), 0U);
  EXPECT_EQ(bytes_of("64K"), 64U << 10);
  EXPECT_EQ(bytes_of("512M"), 512U << 20);
  EXPECT_EQ(bytes_of("8G"), std::uint64_t{8} << 30);
  EXPECT_EQ(bytes_of("1.5T"), std::uint64_t{3} << 39);
  EXPECT_EQ(bytes_of("60B"), 60U);
  EXPECT_EQ(bytes_of("8GiB"), std::uint64_t{8} << 30);
  EXPECT_EQ(bytes_of("8GB"), std::uint64_t{8} << 30);
}

TEST(ParseSize, PerVector) {
  const auto size = parse_size("60B/v");
  ASSERT_TRUE(size);
  EXPECT_TRUE(size->per_vector);
  EXPECT_EQ(size->total(1000), 60000U);
  EXPECT_EQ(size->total(std::numeric_limits<std::uint64_t>::max()),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_DOUBLE_EQ(parse_size("60.5B/v")->bytes, 60.5);
  EXPECT_EQ(parse_size("60.5B/v")->total(1000), 60500U);
  EXPECT_FALSE(parse_size("60B")->per_vector);
  EXPECT_EQ(parse_size("60B")->total(1000), 60U);
}

TEST(ParseSize, RefusesAnythingElse) {
  for (const char* text : {"", "M", "-1", "-1M", "8g", "8 G", "8X", "60/v", "60B/q", "1e400", "nan",
                           "inf", "9999999T", "8GiBs", "60BB", "/v", "0x10"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(size.error().found.find(text), std::string::npos);
  }
}

TEST(Show, ForPeople) {
  EXPECT_EQ(show_bytes(1023), "1023 bytes");
  EXPECT_EQ(show_bytes(1536), "1.5 KiB");
  EXPECT_EQ(show_bytes(std::uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(show_bytes(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
  EXPECT_EQ(show_count(999), "999");
  EXPECT_EQ(show_count(1000), "1,000");
  EXPECT_EQ(show_count(1000234567), "1,000,234,567");
  EXPECT_EQ(show_duration(9.4), "9s");
  EXPECT_EQ(show_duration(75), "1m15s");
  EXPECT_EQ(show_duration(3660), "1h01m");
}

}  // namespace
}  // namespace cairn::tools
