// Distances to codes against rows decoded and compared one by one.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/search/code_tables.h"
#include "tests/engine/search/small_segment.h"

namespace cairn::search::testing {
namespace {

/// The sum of what the first `layers` codes of `slot` stand for, element by element.
std::vector<float> decoded(const Segment& segment, std::uint32_t slot, std::size_t layers) {
  std::vector<float> sum(segment.codebook->shape.dim), part(sum.size());
  for (std::size_t l = 0; l < layers; ++l) {
    const math::Codebook& book = *segment.refine_codebook->layers()[l].book;
    const std::uint32_t m = book.shape.m;
    math::pq_decode(book, {segment.refine_codes[l] + std::size_t{slot} * m, m}, part);
    for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += part[d];
  }
  return sum;
}

double distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) {
    const double difference = static_cast<double>(a[d]) - static_cast<double>(b[d]);
    sum += metric == Metric::l2 ? difference * difference
                                : -static_cast<double>(a[d]) * static_cast<double>(b[d]);
  }
  return sum;
}

TEST(CodeTables, EveryPrefixOfTheLayersGivesTheDistanceToItsSum) {
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    const Vectors vectors = random_vectors(DType::f32, 24, 2000, 0, 3);
    const SmallSegment small(
        vectors, brute_force_graph(vectors, 4, 1, 3),
        {.metric = metric, .m = 6, .refine_m = 2, .more_refine_m = {5, 3, 24}});
    const std::vector<float> rows = vectors.floats(metric);
    double before = std::numeric_limits<double>::infinity();
    for (std::size_t layers = 2; layers <= 5; ++layers) {
      Segment segment = small.view();
      segment.refine_codes = segment.refine_codes.first(layers);
      CodeTables tables;
      tables.reset(metric, vectors.row(0), {&segment, 1});
      double error = 0;
      for (std::uint32_t i = 0; i < vectors.count; ++i) {
        const std::uint32_t slot = small.slot_of(i);
        const auto row = std::span(rows).subspan(std::size_t{i} * 24, 24);
        const auto sum = decoded(segment, slot, layers);
        error += distance(Metric::l2, row, sum);
        const double expected = distance(metric, std::span(rows).first(24), sum);
        ASSERT_NEAR(tables.refined(0, slot, 0), expected, 1e-3 * (1 + std::abs(expected)));
      }
      EXPECT_LT(error, before * 0.95) << layers;
      before = error;
    }
  }
}

TEST(CodeTables, WithoutRefinementTheBaseDistanceStands) {
  const Vectors vectors = random_vectors(DType::u8, 16, 50, 2, 3);
  const SmallSegment small(vectors, brute_force_graph(vectors, 4, 1, 3), {.m = 4});
  const Segment segment = small.view();
  CodeTables tables;
  tables.reset(Metric::l2, vectors.row(0), {&segment, 1});
  EXPECT_EQ(tables.refined(0, small.slot_of(1), 7.5F), 7.5F);
}

}  // namespace
}  // namespace cairn::search::testing
