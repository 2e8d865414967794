#include "engine/search/exact.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/math/distance.h"
#include "engine/math/row_check.h"
#include "tools/vectors.h"

namespace cairn::search {
namespace {

constexpr std::uint64_t kSeed = 5;

struct Set {
  DType dtype = DType::f32;
  std::uint32_t dim = 0;
  std::vector<std::byte> bytes;

  std::size_t row_bytes() const { return dim * dtype_bytes(dtype); }
  VectorBatch batch() const { return {bytes.data(), bytes.size() / row_bytes(), dim, dtype}; }
  void set(std::size_t element, float value) { std::memcpy(&bytes[element * 4], &value, 4); }
};

/// Normal about `mean` for f32; bytes of few values, so that distances tie often.
Set random_set(DType dtype, std::uint32_t dim, std::size_t count, std::uint64_t seed,
               float mean = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(mean, 1);
  Set set{dtype, dim, std::vector<std::byte>(count * dim * dtype_bytes(dtype))};
  for (std::size_t i = 0; i < count * dim; ++i) {
    if (dtype == DType::f32) {
      set.set(i, normal(random));
    } else {
      set.bytes[i] = static_cast<std::byte>(1 + random() % 5);
    }
  }
  return set;
}

ExactNeighbors naive(const Set& base, const Set& queries, Metric metric, std::uint32_t k) {
  ExactNeighbors out;
  out.k = k;
  for (std::uint64_t q = 0; q < queries.batch().count; ++q) {
    const math::Scorer scorer{metric, queries.batch().row(q)};
    std::vector<std::pair<float, std::uint32_t>> all;
    for (std::uint32_t i = 0; i < base.batch().count; ++i) {
      const VectorView row = base.batch().row(i);
      all.emplace_back(scorer(row.data, math::inverse_norm(row)), i);
    }
    std::sort(all.begin(), all.end());
    for (std::uint32_t i = 0; i < k; ++i) {
      out.distances.push_back(all[i].first);
      out.ids.push_back(all[i].second);
    }
  }
  return out;
}

void expect_exact(const Set& base, const Set& queries, Metric metric, std::uint32_t k) {
  SCOPED_TRACE(testing::Message() << metric_name(metric) << ' ' << dtype_name(base.dtype) << " dim "
                                  << base.dim << " seed " << kSeed);
  tools::MemoryRows rows{base.batch()};
  ExactOptions options;
  options.metric = metric;
  options.k = k;
  options.threads = 3;
  const auto found = exact_neighbors(rows, queries.batch(), options);
  ASSERT_TRUE(found) << found.error().to_string();
  const ExactNeighbors expected = naive(base, queries, metric, k);
  EXPECT_EQ(found->ids, expected.ids);
  EXPECT_EQ(found->distances, expected.distances);
}

constexpr Metric kMetrics[] = {Metric::l2, Metric::ip, Metric::cosine};

TEST(Exact, AgreesWithTheScorerForEveryMetricAndType) {
  for (Metric metric : kMetrics)
    for (DType dtype : {DType::u8, DType::i8, DType::f32})
      expect_exact(random_set(dtype, 37, 3001, kSeed), random_set(dtype, 37, 101, kSeed + 1),
                   metric, 10);
}

TEST(Exact, FarFromTheOriginRoundingIsAllowedFor) {
  for (Metric metric : kMetrics)
    expect_exact(random_set(DType::f32, 96, 2000, kSeed, 1000),
                 random_set(DType::f32, 96, 50, kSeed + 1, 1000), metric, 10);
}

TEST(Exact, NormsOfManyMagnitudesAreAllowedFor) {
  Set base = random_set(DType::f32, 20, 2000, kSeed);
  for (std::size_t i = 0; i < 2000; ++i) {
    const auto scale = std::pow(10.0F, static_cast<float>(i % 13) - 8);
    for (std::size_t d = 0; d < 20; ++d) {
      float value;
      std::memcpy(&value, &base.bytes[(i * 20 + d) * 4], 4);
      base.set(i * 20 + d, value * scale);
    }
  }
  for (Metric metric : kMetrics)
    expect_exact(base, random_set(DType::f32, 20, 50, kSeed + 1), metric, 10);
}

TEST(Exact, ElementsOfTheLargestMagnitude) {
  Set base = random_set(DType::f32, 4, 100, kSeed);
  for (std::size_t i = 0; i < 100 * 4; i += 5) base.set(i, math::magnitude_max(4));
  expect_exact(base, random_set(DType::f32, 4, 5, kSeed + 1), Metric::l2, 100);
}

TEST(Exact, EveryVectorWhenKIsTheirNumber) {
  expect_exact(random_set(DType::u8, 3, 7, kSeed), random_set(DType::u8, 3, 2, kSeed + 1),
               Metric::l2, 7);
  expect_exact(random_set(DType::u8, 1, 1, kSeed), random_set(DType::u8, 1, 1, kSeed + 1),
               Metric::ip, 1);
}

TEST(Exact, QueriesOfSeveralReadings) {
  // 64 MiB of queries are one reading.
  constexpr std::uint32_t kDim = kDimMax;
  expect_exact(random_set(DType::u8, kDim, 3, kSeed), random_set(DType::u8, kDim, 2100, kSeed + 1),
               Metric::l2, 2);
}

TEST(Exact, DoesNotDependOnThreads) {
  const Set base = random_set(DType::f32, 24, 5000, kSeed);
  const Set queries = random_set(DType::f32, 24, 200, kSeed + 1);
  std::vector<ExactNeighbors> all;
  for (std::uint32_t threads : {1U, 2U, 7U}) {
    tools::MemoryRows rows{base.batch()};
    ExactOptions options;
    options.k = 20;
    options.threads = threads;
    all.push_back(*exact_neighbors(rows, queries.batch(), options));
  }
  EXPECT_EQ(all[0].ids, all[1].ids);
  EXPECT_EQ(all[0].ids, all[2].ids);
}

TEST(Exact, NamesTheRowThatHasNoDistance) {
  Set base = random_set(DType::f32, 4, 100, kSeed);
  tools::MemoryRows rows{base.batch()};
  ExactOptions options;
  options.k = 1;
  const auto error_of = [&](Metric metric) {
    options.metric = metric;
    const auto found = exact_neighbors(rows, random_set(DType::f32, 4, 1, kSeed).batch(), options);
    return found ? Error{} : found.error();
  };
  for (std::size_t d = 0; d < 4; ++d) base.set(42 * 4 + d, 0);
  EXPECT_TRUE(error_of(Metric::l2).what.empty());
  EXPECT_EQ(error_of(Metric::cosine).found, "a zero vector");
  EXPECT_EQ(error_of(Metric::cosine).what, "use vector 42 of");
  base.set(17 * 4 + 3, std::numeric_limits<float>::infinity());
  EXPECT_EQ(error_of(Metric::l2).what, "use vector 17, element 3 of");
  base.set(3 * 4, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(error_of(Metric::ip).what, "use vector 3, element 0 of");
  EXPECT_EQ(error_of(Metric::ip).code, ErrorCode::invalid_argument);
}

TEST(Exact, ProgressEndsTheWork) {
  const Set base = random_set(DType::u8, 4, 100, kSeed);
  tools::MemoryRows rows{base.batch()};
  ExactOptions options;
  options.k = 1;
  options.progress = [](std::uint64_t done, std::uint64_t total) -> Status {
    EXPECT_EQ(done, 100U);
    EXPECT_EQ(total, 100U);
    return fail(ErrorCode::cancelled, "enough");
  };
  const auto found = exact_neighbors(rows, random_set(DType::u8, 4, 1, kSeed).batch(), options);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace cairn::search
