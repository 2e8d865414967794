#include "engine/math/nearest.h"

#include <cmath>

#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::uint64_t kSeed = 99;

class Nearest : public OnPath {};
CAIRN_ON_EVERY_PATH(Nearest);

double score(const float* x, const float* c, std::size_t width) {
  double value = 0;
  for (std::size_t j = 0; j < width; ++j) value += double{c[j]} * c[j] / 2 - double{x[j]} * c[j];
  return value;
}

void check(std::size_t centroids, std::size_t width, std::size_t rows) {
  SCOPED_TRACE(std::to_string(centroids) + " centroids of " + std::to_string(width) + ", seed " +
               std::to_string(kSeed));
  const std::size_t stride = width + 3;
  const auto all = random_floats(centroids * width, kSeed);
  const auto x = random_floats(rows * stride, kSeed + 1);
  std::vector<std::uint32_t> index(rows, 1U << 30);
  nearest(pack_centroids(all, width), x.data(), stride, rows, index.data());
  for (std::size_t i = 0; i < rows; ++i) {
    ASSERT_LT(index[i], centroids);
    const float* row = x.data() + i * stride;
    const double chosen = score(row, all.data() + index[i] * width, width);
    for (std::size_t c = 0; c < centroids; ++c)
      ASSERT_LE(chosen, score(row, all.data() + c * width, width) + 1e-5) << "row " << i;
  }
}

TEST_P(Nearest, NoCentroidIsNearer) {
  for (std::size_t width : {1U, 2U, 3U, 4U, 5U, 24U, 100U})
    for (std::size_t centroids : {1U, 2U, 31U, 33U, 256U}) check(centroids, width, 9);
}

TEST_P(Nearest, EqualCentroidsGoToTheLowest) {
  for (std::size_t width : {2U, 4U, 7U}) {
    const auto one = random_floats(width, kSeed);
    std::vector<float> all;
    for (std::size_t c = 0; c < 70; ++c) all.insert(all.end(), one.begin(), one.end());
    const auto x = random_floats(6 * width, kSeed + 2);
    std::vector<std::uint32_t> index(6, 1);
    nearest(pack_centroids(all, width), x.data(), width, 6, index.data());
    EXPECT_EQ(index, std::vector<std::uint32_t>(6, 0));
    for (std::size_t j = 0; j < width; ++j) all[j] = one[j] + 100;
    nearest(pack_centroids(all, width), x.data(), width, 6, index.data());
    EXPECT_EQ(index, std::vector<std::uint32_t>(6, 1));
  }
}

TEST_P(Nearest, ARowDoesNotDependOnItsNeighbours) {
  const auto all = random_floats(256 * 4, kSeed), x = random_floats(23 * 4, kSeed + 3);
  const auto panel = pack_centroids(all, 4);
  std::vector<std::uint32_t> together(23), alone(23);
  nearest(panel, x.data(), 4, 23, together.data());
  for (std::size_t i = 0; i < 23; ++i) nearest(panel, x.data() + i * 4, 4, 1, &alone[i]);
  EXPECT_EQ(together, alone);
}

TEST_P(Nearest, DistancesToCentroids) {
  for (std::size_t width : {1U, 2U, 3U, 4U, 6U, 25U}) {
    for (std::size_t centroids : {1U, 40U, 256U}) {
      const auto all = random_floats(centroids * width, kSeed), x = random_floats(width, kSeed + 4);
      const auto panel = pack_centroids(all, width);
      std::vector<float> l2((centroids + 31) / 32 * 32), dot(l2.size());
      centroid_l2(panel, x.data(), l2.data());
      centroid_minus_dot(panel, x.data(), dot.data());
      for (std::size_t c = 0; c < centroids; ++c) {
        double expected_l2 = 0, expected_dot = 0;
        for (std::size_t j = 0; j < width; ++j) {
          expected_l2 += std::pow(double{x[j]} - all[c * width + j], 2);
          expected_dot -= double{x[j]} * all[c * width + j];
        }
        ASSERT_NEAR(l2[c], expected_l2, 1e-4) << width << " " << c;
        ASSERT_NEAR(dot[c], expected_dot, 1e-4) << width << " " << c;
      }
    }
  }
}

}  // namespace
}  // namespace cairn::math
