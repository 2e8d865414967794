// What generated sets promise: the same bytes for ever, and to be as hard as real descriptors. The
// full measure at 1M is bench/tools/hardness; here is a smaller one.
#include "tools/generate/synthetic.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <set>
#include <string>

#include "bench/tools/hardness.h"

namespace cairn::tools {
namespace {

std::vector<std::uint8_t> make(std::uint32_t dim, std::uint64_t seed, Synthetic::Stream stream,
                               std::uint64_t first, std::size_t count) {
  std::vector<std::uint8_t> rows(dim * count);
  Synthetic{dim, seed}.fill(stream, first, std::span{rows});
  return rows;
}

constexpr auto kBase = Synthetic::Stream::base;
constexpr auto kQueries = Synthetic::Stream::queries;

TEST(Synthetic, BytesNeverChange) {
  const auto rows = make(128, 1, kBase, 0, 1000);
  EXPECT_EQ(XXH3_64bits(rows.data(), rows.size()), 6411032114328013129U);
  std::vector<float> floats(96 * 1000);
  Synthetic{96, 7}.fill(kQueries, 0, std::span{floats});
  EXPECT_EQ(XXH3_64bits(floats.data(), floats.size() * sizeof(float)), 18030345236231229206U);
}

TEST(Synthetic, APartOfALargerSetIsTheSame) {
  const auto all = make(40, 3, kBase, 0, 500);
  const auto part = make(40, 3, kBase, 200, 100);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + 200 * 40));
}

TEST(Synthetic, SeedsAndStreamsDiffer) {
  const auto base = make(32, 3, kBase, 0, 2000);
  EXPECT_NE(base, make(32, 4, kBase, 0, 2000));
  std::set<std::string> rows;
  for (const auto& set : {base, make(32, 3, kQueries, 0, 2000)})
    for (std::size_t i = 0; i < 2000; ++i)
      rows.emplace(reinterpret_cast<const char*>(&set[i * 32]), 32);
  EXPECT_EQ(rows.size(), 4000U) << "a query that is a base vector, or duplicates";
}

TEST(Synthetic, FloatsAreTheBytesBeforeRounding) {
  std::vector<std::uint8_t> bytes(64 * 200);
  std::vector<float> floats(64 * 200);
  const Synthetic set{64, 9};
  set.fill(kBase, 5, std::span{bytes});
  set.fill(kBase, 5, std::span{floats});
  for (std::size_t i = 0; i < bytes.size(); ++i)
    ASSERT_NEAR(std::clamp(floats[i], 0.0F, 255.0F), static_cast<float>(bytes[i]), 0.5F) << i;
}

TEST(Synthetic, AnyDimension) {
  EXPECT_EQ(make(1, 1, kBase, 0, 10).size(), 10U);
  EXPECT_EQ(make(1000, 1, kBase, 0, 10).size(), 10000U);
}

TEST(Synthetic, IsAsHardAsDescriptorsOfPhotographs) {
  const auto base = make(128, 1, kBase, 0, 100000);
  const auto queries = make(128, 1, kQueries, 0, 100);
  const auto measured = bench::measure_hardness({base.data(), 100000, 128, DType::u8},
                                                {queries.data(), 100, 128, DType::u8}, 2);
  EXPECT_GE(measured.lid_median, 15);
  EXPECT_LE(measured.lid_median, 25);
  EXPECT_GE(measured.held_by_codes, 0.92);
  EXPECT_LE(measured.held_by_codes, 0.98);
  EXPECT_LE(measured.zeros, 0.3);
  EXPECT_EQ(measured.duplicates, 0);
}

}  // namespace
}  // namespace cairn::tools
