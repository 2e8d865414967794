#include "layout/streams.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

static_assert(kNavEdgesPerSlice == 8 && kNavSlicesMax == 64 && kNavPadBytes == 8);
static_assert(sizeof(CodesHeader) == 16 && offsetof(CodesHeader, count) == 8);
static_assert(sizeof(NavHeader) == 16 && offsetof(NavHeader, bits) == 8);
static_assert(sizeof(EntriesHeader) == 8);

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;

TEST(Codes, TheHeaderFixesEveryOffset) {
  const CodesHeader header{.dim = 128, .m = 32, .count = 1000};
  const std::uint64_t bytes = 16 + 256 * 128 * 4 + 32000;
  const auto plan = decode_codes_header(bytes_of(header), bytes, 1000);
  ASSERT_TRUE(plan) << plan.error().to_string();
  EXPECT_EQ(plan->codes_at(), 16U + 131072);
  EXPECT_EQ(plan->codes_bytes(), 32000U);
  EXPECT_EQ(plan->stream_bytes(), bytes);
}

TEST(Codes, EveryDisagreementIsNamed) {
  const auto refused = [](CodesHeader header, std::uint64_t stream_bytes, std::uint64_t slots,
                          const std::vector<std::string>& words) {
    const auto plan = decode_codes_header(bytes_of(header), stream_bytes, slots);
    ASSERT_FALSE(plan) << testing::PrintToString(words);
    expect_error(plan.error(), ErrorCode::corrupt, words);
  };
  const std::uint64_t bytes = 16 + 1024 * 8 + 4 * 10;
  refused({8, 4, 10}, bytes, 11, {"codes header", "count 10", "11"});
  refused({8, 4, 10}, bytes - 1, 10, {"stream bytes 8247", "8248"});
  refused({8, 4, 10}, bytes + 1, 10, {"stream bytes 8249", "8248"});
  refused({0, 4, 10}, bytes, 10, {"dim 0"});
  refused({kDimMax + 1, 4, 10}, bytes, 10, {"dim 32769"});
  refused({0xffff'ffff, 0xffff'ffff, 10}, bytes, 10, {"dim 4294967295"});
  refused({8, 0, 10}, bytes, 10, {"bytes a code 0", "1 to 8"});
  refused({8, 9, 10}, bytes, 10, {"bytes a code 9"});
  refused({8, 4, 0}, bytes, 0, {"count 0"});
  refused({8, 4, kTwo32 - 1}, bytes, kTwo32 - 1, {"count 4294967295", "1 to 4294967294"});
  refused({8, 4, kTwo32}, bytes, kTwo32, {"count 4294967296"});
  refused({8, 4, ~std::uint64_t{0}}, bytes, ~std::uint64_t{0}, {"count 1844"});
  const auto whole = bytes_of(CodesHeader{8, 4, 10});
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(decode_codes_header(std::span(whole).first(length), bytes, 10)) << length;
}

TEST(Codes, TheLargestFileIsStillArithmetic) {
  const CodesHeader header{.dim = kDimMax, .m = kDimMax, .count = kTwo32 - 2};
  const std::uint64_t bytes = 16 + std::uint64_t{1024} * kDimMax + (kTwo32 - 2) * kDimMax;
  EXPECT_TRUE(decode_codes_header(bytes_of(header), bytes, kTwo32 - 2));
}

TEST(Nav, TheWidthLeavesOneValueForNone) {
  EXPECT_EQ(nav_bits(1), 1U);
  EXPECT_EQ(nav_bits(2), 2U);
  EXPECT_EQ(nav_bits(3), 2U);
  EXPECT_EQ(nav_bits(4), 3U);
  EXPECT_EQ(nav_bits(1'000'000), 20U);
  EXPECT_EQ(nav_bits(std::uint64_t{1} << 31), 32U);
  EXPECT_EQ(nav_bits((std::uint64_t{1} << 31) - 1), 31U);
  EXPECT_EQ(nav_bits(kTwo32 - 2), 32U);
  for (std::uint64_t slots = 1; slots < 5000; ++slots) {
    const std::uint64_t none = (std::uint64_t{1} << nav_bits(slots)) - 1;
    ASSERT_GE(none, slots);
    ASSERT_LT(none / 2, slots) << "one bit less would do";
  }
}

TEST(Nav, EveryDisagreementIsNamed) {
  const auto refused = [](NavHeader header, std::uint64_t stream_bytes, std::uint64_t slots,
                          const std::vector<std::string>& words) {
    const auto plan = decode_nav_header(bytes_of(header), stream_bytes, slots);
    ASSERT_FALSE(plan) << testing::PrintToString(words);
    expect_error(plan.error(), ErrorCode::corrupt, words);
  };
  const std::uint64_t bytes = 16 + 3 * 100 * 7;
  ASSERT_TRUE(decode_nav_header(bytes_of(NavHeader{100, 7, 3}), bytes, 100));
  EXPECT_EQ(decode_nav_header(bytes_of(NavHeader{100, 7, 3}), bytes, 100)->slice_at(2), 1416U);
  EXPECT_TRUE(decode_nav_header(bytes_of(NavHeader{100, 32, 1}), 16 + 3200, 100));
  refused({100, 7, 3}, bytes, 99, {"count 100", "99"});
  refused({100, 7, 3}, bytes + 1, 100, {"stream bytes 2117", "2116"});
  refused({100, 6, 3}, bytes, 100, {"bits an edge 6", "7 to 32"});
  refused({100, 33, 3}, bytes, 100, {"bits an edge 33"});
  refused({100, 0xffff'ffff, 3}, bytes, 100, {"bits an edge 4294967295"});
  refused({100, 7, 0}, 16, 100, {"slices 0", "1 to 64"});
  refused({100, 7, 65}, bytes, 100, {"slices 65"});
  refused({0, 7, 3}, bytes, 0, {"count 0"});
  refused({kTwo32 - 1, 32, 1}, bytes, kTwo32 - 1, {"count 4294967295"});
  refused({~std::uint64_t{0}, 32, 64}, bytes, ~std::uint64_t{0}, {"count 1844"});
  EXPECT_FALSE(decode_nav_header({}, bytes, 100));
}

TEST(Nav, EdgesOfEveryWidthComeBackFromAnyRow) {
  constexpr std::uint64_t kSeed = 41;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (std::uint32_t bits = 1; bits <= 32; ++bits) {
    const std::uint64_t none = (std::uint64_t{1} << bits) - 1;
    constexpr std::size_t kRows = 50;
    std::vector<std::byte> slice(kRows * bits + kNavPadBytes, std::byte{0x5a});
    std::vector<std::vector<std::uint32_t>> rows(kRows);
    for (std::size_t row = 0; row < kRows; ++row) {
      for (std::uint64_t edges = random() % 9; edges > 0; --edges)
        rows[row].push_back(static_cast<std::uint32_t>(random() % (none + 1)));
      nav_encode(rows[row], bits, std::span(slice).subspan(row * bits, bits));
    }
    for (std::size_t row = 0; row < kRows; ++row)
      for (std::uint32_t e = 0; e < kNavEdgesPerSlice; ++e)
        ASSERT_EQ(nav_edge(slice.data() + row * bits, bits, e),
                  e < rows[row].size() ? rows[row][e] : static_cast<std::uint32_t>(none))
            << "bits " << bits << " row " << row << " edge " << e;
    EXPECT_TRUE(std::all_of(slice.end() - kNavPadBytes, slice.end(), [](std::byte byte) {
      return byte == std::byte{0x5a};
    })) << "nothing is written beyond the last row";
  }
}

TEST(Nav, BytesAreThoseOfTheFormat) {
  std::vector<std::byte> row(3);
  nav_encode(std::vector<std::uint32_t>{1, 2, 5}, 3, row);
  const std::byte expected[] = {std::byte{0b01'010'001}, std::byte{0b1'111'111'1},
                                std::byte{0b111'111'11}};
  EXPECT_EQ(std::memcmp(row.data(), expected, 3), 0);
}

const Entries kEntries{.heads = {9, 4}, .begins = {0, 3, 4}, .slots = {1, 2, 9, 4}};

TEST(Entries, ComeBack) {
  const auto bytes = encode_entries(kEntries);
  EXPECT_EQ(bytes.size(), 8U + 8 + 12 + 16);
  const auto decoded = decode_entries(bytes, 10);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->heads, kEntries.heads);
  EXPECT_EQ(decoded->begins, kEntries.begins);
  EXPECT_EQ(decoded->slots, kEntries.slots);
  EXPECT_TRUE(decode_entries(encode_entries({.heads = {0}, .begins = {0, 0}, .slots = {}}), 1));
}

TEST(Entries, EveryDisagreementIsNamed) {
  const auto refused = [](const Entries& entries, std::uint64_t slots,
                          const std::vector<std::string>& words) {
    const auto decoded = decode_entries(encode_entries(entries), slots);
    ASSERT_FALSE(decoded) << testing::PrintToString(words);
    expect_error(decoded.error(), ErrorCode::corrupt, words);
  };
  refused(kEntries, 9, {"entries", "slot 9", "below 9"});
  refused({{9, 4}, {0, 3, 4}, {1, 2, 3, 0xffff'ffff}}, 10, {"slot 4294967295"});
  refused({{9, 4}, {1, 3, 4}, {1, 2, 3, 4}}, 10, {"first begin 1", "0"});
  refused({{9, 4}, {0, 3, 3}, {1, 2, 3, 4}}, 10, {"last begin 3", "4"});
  refused({{9, 4}, {0, 5, 4}, {1, 2, 3, 4}}, 10, {"descend"});
  refused({{}, {0}, {}}, 10, {"no list"});
}

TEST(Entries, CountsAreComparedWithTheBytesThatAreThere) {
  const auto good = encode_entries(kEntries);
  for (const std::size_t at : {0U, 4U})
    for (const std::uint32_t count : {0U, 1U, 3U, 5U, 1U << 30, 1U << 31, 0xffff'ffffU}) {
      auto bytes = good;
      store(bytes, at, count);
      const auto decoded = decode_entries(bytes, 10);
      ASSERT_FALSE(decoded) << at << ": " << count;
      expect_error(decoded.error(), ErrorCode::corrupt, {"entries"});
    }
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(decode_entries(std::span(good).first(length), 10)) << length;
  auto longer = good;
  longer.push_back(std::byte{0});
  const auto decoded = decode_entries(longer, 10);
  ASSERT_FALSE(decoded);
  expect_error(decoded.error(), ErrorCode::corrupt, {"bytes after the last slot 1"});
}

}  // namespace
}  // namespace cairn::layout
