#include <cairn/result.h>
#include <cairn/types.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>

namespace cairn {
namespace {

// Persisted or public numbers: a change here breaks files or callers.
static_assert(static_cast<int>(DType::u8) == 1 && static_cast<int>(DType::i8) == 2 &&
              static_cast<int>(DType::f32) == 3);
static_assert(static_cast<int>(Metric::l2) == 1 && static_cast<int>(Metric::ip) == 2 &&
              static_cast<int>(Metric::cosine) == 3);
static_assert(static_cast<int>(ErrorCode::invalid_argument) == 1 &&
              static_cast<int>(ErrorCode::corrupt) == 4 &&
              static_cast<int>(ErrorCode::out_of_memory) == 11);
static_assert(dtype_bytes(DType::u8) == 1 && dtype_bytes(DType::i8) == 1 &&
              dtype_bytes(DType::f32) == 4);
// Every dot product of bytes of the largest dimension is exact in 32 bits.
static_assert(std::int64_t{kDimMax} * 255 * 255 < (std::int64_t{1} << 31));

TEST(Types, EveryNameParsesBack) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32})
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
    EXPECT_EQ(parse_metric(metric_name(metric)), metric);
  for (const char* name : {"", "f3", "f322", "F32", "unknown", "l1"}) {
    EXPECT_EQ(parse_dtype(name), std::nullopt) << name;
    EXPECT_EQ(parse_metric(name), std::nullopt) << name;
  }
}

TEST(Types, ErrorNamesAreDistinct) {
  std::set<std::string> names;
  for (int code = 1; code <= 11; ++code) names.emplace(error_name(static_cast<ErrorCode>(code)));
  EXPECT_EQ(names.size(), 11U);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Types, AnErrorIsOneLineWithAllItKnows) {
  const Error bare{.code = ErrorCode::corrupt, .what = "read"};
  EXPECT_EQ(bare.to_string(), "corrupt: read");
  const Error half{.code = ErrorCode::corrupt, .what = "read", .expected = "8"};
  EXPECT_EQ(half.to_string(), "corrupt: read: expected 8");
  Error full{
      .code = ErrorCode::corrupt, .what = "read", .block = 81, .found = "7", .expected = "8"};
  Error named = std::move(full).in_file("x/000001.blocks");
  EXPECT_EQ(named.to_string(), "corrupt: read 'x/000001.blocks' block 81: found 7, expected 8");
  EXPECT_EQ(std::move(named).in_file("other").file, "x/000001.blocks") << "the first name stays";
}

TEST(Types, ABatchKnowsItsRows) {
  const float values[6] = {};
  const VectorBatch batch{.data = values, .count = 2, .dim = 3, .dtype = DType::f32};
  EXPECT_EQ(batch.row_bytes(), 12U);
  EXPECT_EQ(batch.row(1).data, values + 3);
  EXPECT_EQ(batch.row(1).bytes(), 12U);
}

}  // namespace
}  // namespace cairn
