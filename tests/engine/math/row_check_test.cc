#include "engine/math/row_check.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/math/distance.h"

namespace cairn::math {
namespace {

VectorView view(const std::vector<float>& row) {
  return {row.data(), static_cast<std::uint32_t>(row.size()), DType::f32};
}

std::string message(Metric metric, VectorView row) {
  const Status status = check_row(metric, row, "query");
  return status ? "ok" : status.error().to_string();
}

TEST(RowCheck, DistancesAtTheLargestMagnitudeAreFinite) {
  for (const std::uint32_t dim : {1u, 3u, 100u, kDimMax}) {
    const std::vector<float> a(dim, magnitude_max(dim)), b(dim, -magnitude_max(dim));
    for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
      ASSERT_EQ(message(metric, view(a)), "ok") << dim;
      EXPECT_TRUE(std::isfinite(Scorer(metric, view(a))(b.data(), inverse_norm(view(b))))) << dim;
    }
  }
}

TEST(RowCheck, NamesTheFirstElementOutOfRange) {
  std::vector<float> row(37, 1);
  row[20] = std::nanf("");
  for (const float bad : {1e30F, -1e30F}) {
    row[11] = bad;
    EXPECT_EQ(message(Metric::l2, view(row)).find("invalid_argument: query, element 11"), 0u);
    EXPECT_NE(message(Metric::l2, view(row)).find("magnitude 1e+30"), std::string::npos);
  }
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    row[5] = bad;
    EXPECT_EQ(message(Metric::ip, view(row)).find("invalid_argument: query, element 5"), 0u);
  }
}

TEST(RowCheck, OneNumberThatIsNoneIsEnoughWhereverItStands) {
  // Negative ones and those with other bits behind the exponent are NaN as well.
  for (const std::uint32_t bits : {0x7fc0'0000u, 0xffc0'0000u, 0x7f80'0001u, 0xffff'ffffu})
    for (std::size_t at = 0; at < 37; ++at) {
      std::vector<float> row(37, 1);
      std::memcpy(&row[at], &bits, sizeof bits);
      for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
        EXPECT_NE(message(metric, view(row)).find("element " + std::to_string(at)),
                  std::string::npos)
            << std::hex << bits;
    }
}

TEST(RowCheck, CosineOfTheSmallestNormsIsRight) {
  for (const std::uint32_t dim : {2u, 1000u, kDimMax}) {
    const float element = 1.1F * kCosineNormMin / std::sqrt(static_cast<float>(dim));
    std::vector<float> a(dim, element), b(a);
    for (std::uint32_t i = 0; i < dim; i += 2) b[i] = -element;
    for (std::uint32_t i = 0; i < dim / 2; ++i) b[i] = element;
    double dot = 0;
    for (std::uint32_t i = 0; i < dim; ++i) dot += (b[i] > 0 ? 1.0 : -1.0) / dim;
    ASSERT_EQ(message(Metric::cosine, view(a)), "ok") << dim;
    EXPECT_NEAR(Scorer(Metric::cosine, view(a))(b.data(), inverse_norm(view(b))), 1 - dot, 1e-4);
  }
}

TEST(RowCheck, RefusesSmallNormsUnderCosineAlone) {
  const std::vector<float> tiny(4, 1e-25F), zero(4, 0);
  EXPECT_NE(message(Metric::cosine, view(tiny)).find("norm 2e-25"), std::string::npos);
  EXPECT_NE(message(Metric::cosine, view(zero)).find("a zero vector"), std::string::npos);
  for (const Metric metric : {Metric::l2, Metric::ip}) {
    EXPECT_EQ(message(metric, view(tiny)), "ok");
    EXPECT_EQ(message(metric, view(zero)), "ok");
  }
  const std::uint8_t bytes[] = {0, 1, 0};
  EXPECT_EQ(message(Metric::cosine, {bytes, 3, DType::u8}), "ok");
  EXPECT_NE(message(Metric::cosine, {bytes, 1, DType::u8}), "ok");
}

TEST(RowCheck, RowsMayStartAtAnyByte) {
  const std::vector<float> row{1, 2, 1e30F};
  std::vector<std::byte> odd(1 + row.size() * sizeof(float));
  std::memcpy(odd.data() + 1, row.data(), row.size() * sizeof(float));
  EXPECT_EQ(message(Metric::cosine, {odd.data() + 1, 2, DType::f32}), "ok");
  EXPECT_NE(message(Metric::l2, {odd.data() + 1, 3, DType::f32}).find("element 2"),
            std::string::npos);
}

}  // namespace
}  // namespace cairn::math
