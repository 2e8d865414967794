#include "engine/math/tile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/math/distance.h"
#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::uint64_t kSeed = 7;

class Tile : public OnPath {};
CAIRN_ON_EVERY_PATH(Tile);

/// Random rows of any type, kept with the batch that views them.
struct Rows {
  Rows(std::size_t count, std::uint32_t dim, DType dtype, std::uint64_t seed = kSeed)
      : bytes(random_bytes(count * dim, seed)), floats(random_floats(count * dim, seed, 10)) {
    const void* data = dtype == DType::f32 ? static_cast<const void*>(floats.data()) : bytes.data();
    batch = {data, count, dim, dtype};
  }
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  VectorBatch batch;
};

std::vector<float> all_pairs(const TileSet& a, std::size_t begin, std::size_t count,
                             const TileSet& b) {
  std::vector<float> out(count * tile_ld(b.count()), -1);
  tile_l2(a, begin, count, b, out.data(), tile_ld(b.count()));
  return out;
}

double exact(const VectorBatch& batch, std::size_t i, std::size_t j, double& error) {
  double sum = 0, a = 0, b = 0;
  for (std::size_t k = 0; k < batch.dim; ++k) {
    const auto at = [&](std::size_t row) -> double {
      const void* data = batch.row(row).data;
      if (batch.dtype == DType::u8) return static_cast<const std::uint8_t*>(data)[k];
      if (batch.dtype == DType::i8) return static_cast<const std::int8_t*>(data)[k];
      return static_cast<const float*>(data)[k];
    };
    sum += (at(i) - at(j)) * (at(i) - at(j));
    a += at(i) * at(i);
    b += at(j) * at(j);
  }
  const double reach = std::sqrt(a) + std::sqrt(b);
  error = batch.dtype == DType::f32 ? (batch.dim + 2) * 0x1p-24 * reach * reach : 0;
  return sum;
}

void check_all_pairs(std::size_t count, std::uint32_t dim, DType dtype) {
  SCOPED_TRACE(std::to_string(count) + " x " + std::to_string(dim) + " of " +
               std::string(dtype_name(dtype)) + ", seed " + std::to_string(kSeed));
  const Rows rows(count, dim, dtype);
  TileSet set;
  set.pack(rows.batch);
  const std::size_t ld = tile_ld(count);
  const auto out = all_pairs(set, 0, count, set);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      double error = 0;
      const double expected = exact(rows.batch, i, j, error);
      if (dtype == DType::f32)
        ASSERT_NEAR(out[i * ld + j], expected, error) << i << "," << j;
      else
        ASSERT_EQ(out[i * ld + j], static_cast<float>(expected)) << i << "," << j;
    }
    ASSERT_EQ(out[i * ld + i], 0);
    for (std::size_t j = count; j < ld; ++j)
      ASSERT_EQ(out[i * ld + j], std::numeric_limits<float>::infinity());
  }
}

TEST_P(Tile, EveryShapeMatchesTheScalarReference) {
  for (DType dtype : {DType::u8, DType::i8, DType::f32}) {
    for (std::uint32_t dim : {1U, 2U, 3U, 5U, 8U, 15U, 33U, 100U})
      for (std::size_t count : {1U, 2U, 17U, 65U}) check_all_pairs(count, dim, dtype);
    check_all_pairs(31, 128, dtype);
    check_all_pairs(14, 777, dtype);  // more than one block of words
  }
}

TEST_P(Tile, ExtremeBytesAreExactAtTheLargestDimension) {
  std::vector<std::uint8_t> rows(2 * kDimMax, 0);
  std::fill(rows.begin() + kDimMax, rows.end(), 255);
  TileSet set;
  set.pack({rows.data(), 2, kDimMax, DType::u8});
  EXPECT_EQ(all_pairs(set, 0, 1, set)[1], static_cast<float>(std::int64_t{kDimMax} * 255 * 255));
  for (std::size_t i = 0; i < kDimMax; ++i) rows[i] = 0x80;  // -128
  for (std::size_t i = kDimMax; i < rows.size(); ++i) rows[i] = 127;
  set.pack({rows.data(), 2, kDimMax, DType::i8});
  EXPECT_EQ(all_pairs(set, 0, 1, set)[1], static_cast<float>(std::int64_t{kDimMax} * 255 * 255));
}

TEST_P(Tile, ADistanceDoesNotDependOnWhereItsRowsSit) {
  for (DType dtype : {DType::u8, DType::f32}) {
    const Rows rows(150, 77, dtype);
    TileSet whole, gathered, one;
    whole.pack(rows.batch);
    const auto expected = all_pairs(whole, 0, 150, whole);
    std::vector<std::uint32_t> ids(150);
    std::iota(ids.rbegin(), ids.rend(), 0);
    gathered.pack(rows.batch, ids);
    const std::size_t ld = tile_ld(150);
    for (std::size_t begin = 0, count = 1; begin < 150; begin += count, count = count % 13 + 1) {
      count = std::min(count, 150 - begin);
      const auto out = all_pairs(gathered, begin, count, whole);
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < 150; ++j)
          ASSERT_EQ(out[i * ld + j], expected[ids[begin + i] * ld + j]);
    }
    for (std::uint32_t id : {0U, 1U, 149U}) {
      one.pack(rows.batch, {&id, 1});
      const auto out = all_pairs(whole, 0, 150, one);
      for (std::size_t i = 0; i < 150; ++i)
        ASSERT_EQ(out[i * kTileColumns], expected[i * ld + id]) << i;
    }
  }
}

TEST_P(Tile, ColumnRangesAgreeWithTheWhole) {
  const Rows rows(200, 50, DType::f32);
  TileSet set;
  set.pack(rows.batch);
  const auto expected = all_pairs(set, 0, 200, set);
  const std::size_t ld = tile_ld(200);
  for (std::size_t begin = 0; begin < 200; begin += kTileColumns) {
    const std::size_t width = std::min<std::size_t>(kTileColumns, 200 - begin);
    std::vector<float> out(200 * kTileColumns, -1);
    tile_l2(set, 0, 200, set, begin, width, out.data(), kTileColumns);
    for (std::size_t i = 0; i < 200; ++i)
      for (std::size_t j = 0; j < kTileColumns; ++j)
        ASSERT_EQ(out[i * kTileColumns + j], expected[i * ld + begin + j]);
  }
}

TEST_P(Tile, TheOtherHalfOfASetToItselfIsTheTranspose) {
  for (DType dtype : {DType::u8, DType::f32}) {
    const Rows rows(2 * kTileColumns, 77, dtype);
    TileSet set;
    set.pack(rows.batch);
    const std::size_t ld = tile_ld(2 * kTileColumns);
    const auto expected = all_pairs(set, 0, 2 * kTileColumns, set);
    auto mirrored = expected;
    float* const below = mirrored.data() + kTileColumns * ld;
    for (std::size_t i = 0; i < kTileColumns; ++i) std::fill_n(below + i * ld, kTileColumns, -1.0f);
    transpose_square(mirrored.data() + kTileColumns, below, ld);
    EXPECT_EQ(mirrored, expected);
  }
}

TEST_P(Tile, ASetIsReusedWithoutTraceOfTheLast) {
  const Rows large(100, 60, DType::f32), small(3, 10, DType::u8);
  TileSet used, fresh;
  used.pack(large.batch);
  const std::size_t bytes = used.bytes();
  used.pack(small.batch);
  fresh.pack(small.batch);
  EXPECT_EQ(all_pairs(used, 0, 3, used), all_pairs(fresh, 0, 3, fresh));
  EXPECT_EQ(used.bytes(), bytes);
  used.pack(small.batch, {});
  EXPECT_EQ(used.count(), 0U);
}

TEST(TilePaths, FusedMultiplyAddPathsAgreeBitForBit) {
  const Rows rows(90, 300, DType::f32);
  std::vector<std::vector<float>> results;
  for (std::int64_t path : supported_paths()) {
    if ((path & (HWY_AVX2 | HWY_AVX3)) == 0) continue;
    hwy::SetSupportedTargetsForTest(path);
    TileSet set;
    set.pack(rows.batch);
    results.push_back(all_pairs(set, 0, 90, set));
  }
  hwy::SetSupportedTargetsForTest(0);
  if (results.size() < 2) GTEST_SKIP() << "this machine has no second such path";
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace cairn::math
