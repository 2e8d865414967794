#include "engine/build/space.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

std::vector<float> floats_of(const VectorBatch& batch) {
  std::vector<float> floats(batch.count * batch.dim);
  to_floats(batch, iota_order(batch.count), floats);
  return floats;
}

/// All of `rows` in the build space.
Rows mapped(Metric metric, const Rows& rows) {
  Space space{metric, rows.dtype, rows.dim, 0};
  for (std::uint64_t i = 0; i < rows.count(); ++i)
    space.squared_norm_max = std::max(space.squared_norm_max, squared_norm(rows.batch().row(i)));
  Rows result{std::vector<std::byte>(rows.count() * space.row_bytes()), space.row_dim(),
              space.row_dtype()};
  space.map(rows.batch(), result.bytes.data());
  return result;
}

TEST(Space, OfL2IsTheRowsAsTheyAre) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32}) {
    const Rows rows = random_rows(50, 7, dtype, 1);
    const Rows same = mapped(Metric::l2, rows);
    EXPECT_EQ(same.bytes, rows.bytes);
    EXPECT_EQ(same.dim, 7U);
    EXPECT_EQ(same.dtype, dtype);
  }
}

TEST(Space, OfCosineHasUnitLength) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32}) {
    const Rows rows = random_rows(60, 9, dtype, 2);
    const Rows space = mapped(Metric::cosine, rows);
    ASSERT_EQ(space.dtype, DType::f32);
    const auto unit = floats_of(space.batch()), raw = floats_of(rows.batch());
    for (std::size_t i = 0; i < 60; ++i) {
      double squared = 0, along = 0, length = 0;
      for (std::size_t d = i * 9; d < i * 9 + 9; ++d) {
        squared += double{unit[d]} * unit[d];
        along += double{unit[d]} * raw[d];
        length += double{raw[d]} * raw[d];
      }
      EXPECT_NEAR(squared, 1, 1e-6);
      EXPECT_NEAR(along, std::sqrt(length), 1e-5 * std::sqrt(length)) << "same direction";
    }
  }
}

TEST(Space, OfInnerProductTurnsLargestIntoNearest) {
  const Rows rows = random_rows(80, 6, DType::f32, 3);
  const Rows space = mapped(Metric::ip, rows);
  ASSERT_EQ(space.dim, 7U);
  const auto raw = floats_of(rows.batch()), augmented = floats_of(space.batch());
  double largest = 0;
  std::vector<double> norms(80);
  for (std::size_t i = 0; i < 80; ++i) {
    for (std::size_t d = 0; d < 6; ++d) {
      EXPECT_EQ(augmented[i * 7 + d], raw[i * 6 + d]);
      norms[i] += double{raw[i * 6 + d]} * raw[i * 6 + d];
    }
    largest = std::max(largest, norms[i]);
  }
  for (std::size_t i = 0; i < 80; ++i)
    EXPECT_NEAR(augmented[i * 7 + 6] * augmented[i * 7 + 6], largest - norms[i], 1e-5 * largest);
  // For a query (q, 0): |q - x|^2 = |q|^2 + M^2 - 2 q.x, so both orders are one.
  for (std::size_t q = 0; q < 10; ++q)
    for (std::size_t a = 0; a < 80; ++a)
      for (std::size_t b = 0; b < 80; ++b) {
        double dot_a = 0, dot_b = 0, l2_a = 0, l2_b = 0;
        for (std::size_t d = 0; d < 7; ++d) {
          const double query = d < 6 ? double{raw[q * 6 + d]} : 0;
          dot_a += d < 6 ? query * raw[a * 6 + d] : 0;
          dot_b += d < 6 ? query * raw[b * 6 + d] : 0;
          l2_a += (query - augmented[a * 7 + d]) * (query - augmented[a * 7 + d]);
          l2_b += (query - augmented[b * 7 + d]) * (query - augmented[b * 7 + d]);
        }
        if (dot_a > dot_b + 1e-4) {
          EXPECT_LT(l2_a, l2_b);
        }
      }
}

TEST(CodeSpace, HasNoExtraElement) {
  const Rows rows = random_rows(20, 5, DType::u8, 4);
  std::vector<float> raw(20 * 5), unit(20 * 5);
  to_code_space(Metric::ip, rows.batch(), iota_order(20), raw);
  EXPECT_EQ(raw, floats_of(rows.batch()));
  to_code_space(Metric::cosine, rows.batch(), iota_order(20), unit);
  EXPECT_EQ(unit, floats_of(mapped(Metric::cosine, rows).batch()));
}

TEST(DrawSample, IsDistinctAscendingAndSeeded) {
  const auto sample = draw_sample(1000, 100, 1);
  EXPECT_EQ(sample.size(), 100U);
  EXPECT_EQ(std::set<std::uint32_t>(sample.begin(), sample.end()).size(), 100U);
  EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
  EXPECT_LT(sample.back(), 1000U);
  EXPECT_EQ(sample, draw_sample(1000, 100, 1));
  EXPECT_NE(sample, draw_sample(1000, 100, 2));
  EXPECT_EQ(draw_sample(5, 100, 1), iota_order(5));
  EXPECT_TRUE(draw_sample(0, 100, 1).empty());
  // Each number is as likely as any other: 2000 draws of 10 of 100, 200 expected, sigma 13.4.
  std::vector<int> drawn(100);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const std::uint32_t i : draw_sample(100, 10, seed)) ++drawn[i];
  const auto [least, most] = std::minmax_element(drawn.begin(), drawn.end());
  EXPECT_GT(*least, 200 - 68);
  EXPECT_LT(*most, 200 + 68);
}

}  // namespace
}  // namespace cairn::build
