#include "engine/math/kmeans.h"

#include <algorithm>
#include <set>
#include <thread>

#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::uint64_t kSeed = 5;

class Kmeans : public OnPath {};
CAIRN_ON_EVERY_PATH(Kmeans);

double mean_error(const std::vector<float>& rows, std::uint32_t dim,
                  const std::vector<float>& centroids) {
  std::vector<std::uint32_t> assignment(rows.size() / dim);
  assign(rows, dim, centroids, assignment);
  double sum = 0;
  for (std::size_t i = 0; i < assignment.size(); ++i)
    for (std::size_t j = 0; j < dim; ++j) {
      const double d = double{rows[i * dim + j]} - centroids[assignment[i] * dim + j];
      sum += d * d;
    }
  return sum / static_cast<double>(assignment.size());
}

/// Every body on a thread of its own, last first.
void many_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::vector<std::thread> threads;
  for (std::size_t i = count; i-- > 0;) threads.emplace_back(body, i);
  for (auto& thread : threads) thread.join();
}

TEST_P(Kmeans, SeparateClustersAreFound) {
  constexpr std::uint32_t kDim = 6;
  auto rows = random_floats(400 * kDim, kSeed, 0.01F);
  for (std::size_t i = 0; i < 400; ++i) rows[i * kDim] += static_cast<float>(10 * (i % 4));
  // Forty draws miss none of four clusters, which four draws well might.
  const auto centroids = kmeans(rows, kDim, {.k = 40, .iterations = 20, .seed = kSeed});
  EXPECT_LT(mean_error(rows, kDim, centroids), 0.001) << "seed " << kSeed;
}

TEST_P(Kmeans, MoreIterationsDoNotHurt) {
  const auto rows = random_floats(2000 * 10, kSeed);
  double last = 1e30;
  for (std::uint32_t iterations : {0U, 1U, 3U, 10U}) {
    const double error =
        mean_error(rows, 10, kmeans(rows, 10, {.k = 50, .iterations = iterations, .seed = kSeed}));
    EXPECT_LT(error, last) << iterations << " iterations, seed " << kSeed;
    last = error;
  }
}

TEST_P(Kmeans, GoesOnFromWhereItStopped) {
  const auto rows = random_floats(2000 * 10, kSeed);
  const auto four = kmeans(rows, 10, {.k = 50, .iterations = 4, .seed = kSeed});
  const auto nine = kmeans(rows, 10, {.k = 50, .iterations = 9, .seed = kSeed});
  EXPECT_NE(four, nine);
  EXPECT_EQ(kmeans(rows, 10, {.k = 50, .iterations = 5, .seed = kSeed + 1, .start = four}), nine);
}

TEST_P(Kmeans, ThreadsDoNotChangeTheResult) {
  const auto rows = random_floats(9001 * 5, kSeed);
  KmeansOptions options{.k = 40, .iterations = 4, .seed = kSeed};
  const auto alone = kmeans(rows, 5, options);
  options.parallel = many_threads;
  EXPECT_EQ(kmeans(rows, 5, options), alone);
  options.seed = kSeed + 1;
  EXPECT_NE(kmeans(rows, 5, options), alone);
}

TEST_P(Kmeans, EmptyClustersMoveToTheFarthestRows) {
  // Ninety rows at the origin and ten apart: whatever is drawn, most clusters start on one point.
  std::vector<float> rows(100 * 2, 0);
  for (std::size_t i = 90; i < 100; ++i) rows[2 * i] = static_cast<float>(1000 * (i - 89));
  const auto centroids = kmeans(rows, 2, {.k = 11, .iterations = 10, .seed = kSeed});
  EXPECT_EQ(mean_error(rows, 2, centroids), 0) << "seed " << kSeed;
}

TEST_P(Kmeans, FewRowsRepeat) {
  const std::vector<float> rows{1, 2, 3, 4};
  const auto centroids = kmeans(rows, 2, {.k = 5, .iterations = 3, .seed = kSeed});
  ASSERT_EQ(centroids.size(), 10U);
  for (std::size_t c = 0; c < 5; ++c)
    EXPECT_TRUE((centroids[2 * c] == 1 && centroids[2 * c + 1] == 2) ||
                (centroids[2 * c] == 3 && centroids[2 * c + 1] == 4));
  EXPECT_EQ(mean_error(rows, 2, centroids), 0);
}

TEST(KmeansPaths, FusedMultiplyAddPathsAgree) {
  const auto rows = random_floats(3000 * 17, kSeed);
  std::set<std::vector<float>> results;
  for (std::int64_t path : supported_paths()) {
    if ((path & (HWY_AVX2 | HWY_AVX3)) == 0) continue;
    hwy::SetSupportedTargetsForTest(path);
    results.insert(kmeans(rows, 17, {.k = 64, .iterations = 5, .seed = kSeed}));
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_LE(results.size(), 1U);
}

TEST(Rng, DrawsBelowTheBoundEvenly) {
  Rng random(kSeed);
  std::vector<int> hits(10, 0);
  for (int i = 0; i < 100000; ++i) ++hits.at(random.below(10));
  for (int count : hits) EXPECT_NEAR(count, 10000, 500) << "seed " << kSeed;
  EXPECT_EQ(Rng(0).next(), 0xe220a8397b1dcdafULL);  // splitmix64's published first value
}

}  // namespace
}  // namespace cairn::math
