#include "engine/math/pq.h"

#include <algorithm>
#include <thread>

#include "tests/engine/math/paths.h"
#include "tests/sanitized.h"

namespace cairn::math {
namespace {

constexpr std::uint64_t kSeed = 31;

class Pq : public OnPath {};
CAIRN_ON_EVERY_PATH(Pq);

/// Uneven, even and unit widths.
const std::vector<PqShape> kShapes{{10, 3}, {16, 4}, {12, 6}, {7, 7}, {9, 1}};

std::string describe(const PqShape& shape) {
  return std::to_string(shape.dim) + " / " + std::to_string(shape.m) + ", seed " +
         std::to_string(kSeed);
}

Codebook random_book(const PqShape& shape, std::uint64_t seed, float scale = 1) {
  Codebook book{.shape = shape, .centroids = random_floats(kCentroids * shape.dim, seed, scale)};
  pq_prepare(book);
  return book;
}

double distance(Metric metric, const float* q, const float* x, std::size_t dim) {
  double sum = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    const double difference = double{q[j]} - x[j];
    sum += metric == Metric::l2 ? difference * difference : -double{q[j]} * x[j];
  }
  return sum;
}

TEST_P(Pq, ShapesCoverEveryElementOnce) {
  for (const PqShape& shape : kShapes) {
    EXPECT_EQ(shape.begin(0), 0U);
    EXPECT_EQ(shape.begin(shape.m), shape.dim);
    for (std::uint32_t s = 0; s < shape.m; ++s) {
      const auto width = shape.begin(s + 1) - shape.begin(s);
      EXPECT_GE(width, shape.dim / shape.m);
      EXPECT_LE(width, shape.dim / shape.m + 1);
    }
  }
}

TEST_P(Pq, EncodingPicksTheNearestCentroidOfEachSubspace) {
  for (const PqShape& shape : kShapes) {
    SCOPED_TRACE(describe(shape));
    const Codebook book = random_book(shape, kSeed);
    constexpr std::size_t kRows = 67;
    const auto rows = random_floats(kRows * shape.dim, kSeed + 1);
    std::vector<std::uint8_t> codes(kRows * shape.m);
    pq_encode(book, rows, codes);
    for (std::size_t i = 0; i < kRows; ++i) {
      for (std::uint32_t s = 0; s < shape.m; ++s) {
        const std::size_t begin = shape.begin(s), width = shape.begin(s + 1) - begin;
        const float* x = rows.data() + i * shape.dim + begin;
        const float* all = book.centroids.data() + kCentroids * begin;
        const double chosen = distance(Metric::l2, x, all + codes[i * shape.m + s] * width, width);
        for (std::size_t c = 0; c < kCentroids; c += 5)
          ASSERT_LE(chosen, distance(Metric::l2, x, all + c * width, width) + 1e-3);
      }
    }
  }
}

TEST_P(Pq, CentroidsEncodeAndDecodeToThemselves) {
  for (const PqShape& shape : kShapes) {
    if (shape.m == shape.dim) continue;  // of 256 random numbers some differ by a rounding only
    SCOPED_TRACE(describe(shape));
    const Codebook book = random_book(shape, kSeed);
    const auto codes = random_bytes(40 * shape.m, kSeed + 2);
    std::vector<float> rows(40 * shape.dim);
    pq_decode(book, codes, rows);
    std::vector<std::uint8_t> again(codes.size());
    pq_encode(book, rows, again);
    EXPECT_EQ(again, codes);
  }
}

TEST_P(Pq, AnUnpreparedCodebookGivesTheSame) {
  const Codebook book = random_book({10, 3}, kSeed);
  const Codebook bare{.shape = book.shape, .centroids = book.centroids};
  const auto rows = random_floats(20 * 10, kSeed + 3);
  std::vector<std::uint8_t> codes(60), bare_codes(60);
  pq_encode(book, rows, codes);
  pq_encode(bare, rows, bare_codes);
  EXPECT_EQ(codes, bare_codes);
  std::vector<float> table(3 * kCentroids), bare_table(3 * kCentroids);
  pq_table(book, Metric::l2, std::span(rows).first(10), table);
  pq_table(bare, Metric::l2, std::span(rows).first(10), bare_table);
  EXPECT_EQ(table, bare_table);
  EXPECT_GT(book.bytes(), bare.bytes());
}

TEST_P(Pq, TableAndRefinedDistancesMatchDecodedRows) {
  for (const PqShape& shape : kShapes) {
    SCOPED_TRACE(describe(shape));
    const Codebook book = random_book(shape, kSeed);
    const auto query = random_floats(shape.dim, kSeed + 4);
    const auto codes = random_bytes(30 * shape.m, kSeed + 5);
    std::vector<float> rows(30 * shape.dim), table(shape.m * kCentroids);
    pq_decode(book, codes, rows);
    for (Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
      pq_table(book, metric, query, table);
      for (std::size_t i = 0; i < 30; ++i) {
        const double expected =
            distance(metric, query.data(), rows.data() + i * shape.dim, shape.dim);
        ASSERT_NEAR(pq_lookup(table.data(), codes.data() + i * shape.m, shape.m), expected,
                    1e-5 * shape.dim);
      }
    }
  }
}

/// The first of so many layers, all of them, and every number between: against rows summed up.
void check_refined(std::uint32_t dim, const std::vector<std::uint32_t>& layers) {
  constexpr std::size_t kRows = 3;
  std::vector<Codebook> books;
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<const std::uint8_t*> codes;
  LayeredCodebook layered;
  for (const std::uint32_t m : layers) {
    books.push_back(random_book({dim, m}, kSeed + books.size(), books.empty() ? 1.0F : 0.1F));
    codes.push_back(bytes.emplace_back(random_bytes(kRows * m, kSeed + 7 * bytes.size())).data());
  }
  for (const Codebook& book : books) layered.add(book);
  const auto query = random_floats(dim, kSeed + 4);
  std::vector<float> rows(kRows * dim), part(rows.size()), scratch(pq_refined_floats(dim));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    pq_decode(books[l], bytes[l], part);
    for (std::size_t j = 0; j < rows.size(); ++j) rows[j] += part[j];
    for (Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
      for (std::size_t i = 0; i < kRows; ++i) {
        SCOPED_TRACE(std::to_string(l + 1) + " layers, the last of " + describe(books[l].shape));
        ASSERT_NEAR(
            pq_refined(layered, std::span(codes).first(l + 1), i, metric, query.data(), scratch),
            distance(metric, query.data(), rows.data() + i * dim, dim), 1e-5 * dim);
      }
  }
}

TEST_P(Pq, RefinedDistancesMatchDecodedRowsWhateverTheShapes) {
  for (const PqShape& shape : kShapes)
    for (std::uint32_t m : {1U, 3U, shape.m, shape.dim}) check_refined(shape.dim, {shape.m, m});
  check_refined(128, {32, 6, 10, 8, 8});
  check_refined(128, {16, 128, 1, 37});
  check_refined(100, {32, 6, 10, 8, 8});
  check_refined(100, {25, 50, 33});
  check_refined(1100, {3, 7, 275});
  for (std::uint32_t dim = 1; dim < 70; ++dim)
    check_refined(dim, {(dim + 3) / 4, dim, (dim + 6) / 7, 1});
}

TEST_P(Pq, ABatchOfLookupsEqualsSingleOnes) {
  for (std::uint32_t m : {1U, 7U, 8U, 32U, 50U, 100U}) {
    const auto table = random_floats(m * kCentroids, kSeed);
    const auto codes = random_bytes(500 * m, kSeed + 9);
    std::vector<std::uint32_t> slots{499, 0, 7, 7};
    for (std::uint32_t i = 0; i < 60; ++i) slots.push_back(i * 37 % 500);
    for (std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, slots.size()}) {
      std::vector<float> out(count);
      pq_lookup_batch(table.data(), m, codes.data(), std::span(slots).first(count), out.data());
      for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(out[i], pq_lookup(table.data(), codes.data() + slots[i] * m, m)) << m;
    }
  }
}

double coding_error(const Codebook& book, const std::vector<float>& rows) {
  std::vector<std::uint8_t> codes(rows.size() / book.shape.dim * book.shape.m);
  std::vector<float> decoded(rows.size());
  pq_encode(book, rows, codes);
  pq_decode(book, codes, decoded);
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double difference = double{rows[i]} - decoded[i];
    sum += difference * difference;
  }
  return sum / static_cast<double>(rows.size());
}

TEST_P(Pq, TrainingLowersTheErrorAndMoreBytesLowerItFurther) {
  const auto sample = random_floats(1500 * 16, kSeed);
  const double drawn = coding_error(pq_train(sample, {16, 4}, {.iterations = 0}), sample);
  const double coarse = coding_error(pq_train(sample, {16, 4}, {.iterations = 6}), sample);
  const double fine = coding_error(pq_train(sample, {16, 8}, {.iterations = 6}), sample);
  EXPECT_LT(coarse, 0.8 * drawn) << "seed " << kSeed;
  EXPECT_LT(fine, 0.5 * coarse) << "seed " << kSeed;
}

TEST_P(Pq, TrainingOfManyRowsIsAsGoodAsIfAllWereUsedAllTheWay) {
  if (kSanitized) GTEST_SKIP() << "of how good it is a sanitizer says nothing, in half a minute";
  constexpr std::uint32_t kDim = 6, kRows = 65'536, kIterations = 10;
  // Sorted by the first element, so that any part but one spread over all is another set.
  auto sample = random_floats(kRows * kDim, kSeed);
  for (std::size_t i = 0; i < kRows; ++i) sample[i * kDim] = static_cast<float>(i) / kRows;
  Codebook all{.shape = {kDim, 1},
               .centroids = kmeans(sample, kDim, {.iterations = kIterations, .seed = kSeed})};
  pq_prepare(all);
  const auto part = pq_train(sample, {kDim, 1}, {.iterations = kIterations, .seed = kSeed});
  EXPECT_NE(part.centroids, all.centroids);
  EXPECT_LT(coding_error(part, sample), 1.01 * coding_error(all, sample)) << "seed " << kSeed;
}

TEST_P(Pq, TrainingDependsOnTheSeedAloneNotOnThreads) {
  const auto sample = random_floats(600 * 10, kSeed);
  PqTrainOptions options{.iterations = 3, .seed = kSeed};
  const auto alone = pq_train(sample, {10, 3}, options).centroids;
  options.parallel = [](std::size_t count, const std::function<void(std::size_t)>& body) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(body, i);
    for (auto& thread : threads) thread.join();
  };
  EXPECT_EQ(pq_train(sample, {10, 3}, options).centroids, alone);
  options.seed = kSeed + 1;
  EXPECT_NE(pq_train(sample, {10, 3}, options).centroids, alone);
}

TEST_P(Pq, ASampleOfFewRowsIsEnough) {
  const std::vector<float> sample{1, 2, 3, 4, 5, 6, 7, 8};
  const Codebook book = pq_train(sample, {4, 2}, {});
  EXPECT_EQ(coding_error(book, sample), 0);
}

TEST(PqPaths, FusedMultiplyAddPathsGiveTheSameCodes) {
  const auto sample = random_floats(1000 * 24, kSeed);
  std::vector<std::vector<std::uint8_t>> results;
  for (std::int64_t path : supported_paths()) {
    if ((path & (HWY_AVX2 | HWY_AVX3)) == 0) continue;
    hwy::SetSupportedTargetsForTest(path);
    results.emplace_back(1000 * 6);
    pq_encode(pq_train(sample, {24, 6}, {.iterations = 3}), sample, results.back());
  }
  hwy::SetSupportedTargetsForTest(0);
  for (const auto& codes : results) EXPECT_EQ(codes, results.front());
}

}  // namespace
}  // namespace cairn::math
