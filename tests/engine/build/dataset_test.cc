#include "engine/build/dataset.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

VectorBatch batch_of(const std::vector<float>& values, std::uint32_t dim) {
  return {values.data(), values.size() / dim, dim, DType::f32};
}

Error error_of(const Status& status) { return status ? Error{} : status.error(); }

TEST(Dataset, KeepsRowsAndPositionsAsLabels) {
  Dataset data(Metric::l2, 2, DType::f32);
  ASSERT_TRUE(ok(data.add(batch_of({1, 2, 3, 4}, 2), {})));
  ASSERT_TRUE(ok(data.add(batch_of({5, 6}, 2), {})));
  ASSERT_TRUE(ok(data.add({nullptr, 0, 2, DType::f32}, {})));
  ASSERT_EQ(data.count(), 3U);
  float last[2];
  std::memcpy(last, data.vectors().row(2).data, sizeof last);
  EXPECT_EQ(last[0], 5);
  EXPECT_EQ(last[1], 6);
  EXPECT_EQ(std::vector<Label>(data.labels().begin(), data.labels().end()),
            (std::vector<Label>{0, 1, 2}));
  EXPECT_TRUE(ok(data.check_labels()));
}

TEST(Dataset, NamesTheRowThatIsNotFiniteAndTakesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    Dataset data(Metric::l2, 2, DType::f32);
    ASSERT_TRUE(ok(data.add(batch_of({1, 2, 3, 4}, 2), {})));
    expect_error(error_of(data.add(batch_of({5, 6, 7, bad}, 2), {})), ErrorCode::invalid_argument,
                 {"row 3", "NaN or infinity"});
    EXPECT_EQ(data.count(), 2U);
    EXPECT_TRUE(ok(data.add(batch_of({5, 6}, 2), {})));
  }
}

TEST(Dataset, RefusesMagnitudesWhoseDistancesOverflow) {
  Dataset data(Metric::ip, 4, DType::f32);
  EXPECT_TRUE(ok(data.add(batch_of({3e18F, -3e18F, 3e18F, 3e18F}, 4), {})));
  expect_error(error_of(data.add(batch_of({0, 0, 0, -1e19F}, 4), {})), ErrorCode::invalid_argument,
               {"row 1, element 3", "magnitude 1e+19"});
}

TEST(Dataset, RefusesNormsWhoseCosineIsLost) {
  Dataset data(Metric::cosine, 2, DType::f32);
  EXPECT_TRUE(ok(data.add(batch_of({2e-12F, 0}, 2), {})));
  expect_error(error_of(data.add(batch_of({1, 0, 1e-25F, 0}, 2), {})), ErrorCode::invalid_argument,
               {"row 2", "norm 1e-25"});
  EXPECT_EQ(data.count(), 1U);
}

TEST(Dataset, RefusesAZeroVectorUnderCosineAlone) {
  Dataset cosine(Metric::cosine, 2, DType::f32);
  expect_error(error_of(cosine.add(batch_of({1, 0, 0, 0}, 2), {})), ErrorCode::invalid_argument,
               {"row 1", "zero vector"});
  EXPECT_EQ(cosine.count(), 0U);
  for (const Metric metric : {Metric::l2, Metric::ip}) {
    Dataset data(metric, 2, DType::f32);
    EXPECT_TRUE(ok(data.add(batch_of({1, 0, 0, 0}, 2), {})));
  }
  const std::uint8_t zeros[4] = {1, 2, 0, 0};
  Dataset bytes(Metric::cosine, 2, DType::u8);
  expect_error(error_of(bytes.add({zeros, 2, 2, DType::u8}, {})), ErrorCode::invalid_argument,
               {"row 1", "zero vector"});
}

TEST(Dataset, RefusesAnotherShape) {
  Dataset data(Metric::l2, 2, DType::f32);
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  expect_error(error_of(data.add(batch_of(values, 3), {})), ErrorCode::invalid_argument,
               {"dimension 3", "dimension 2"});
  expect_error(error_of(data.add({values.data(), 1, 2, DType::u8}, {})),
               ErrorCode::invalid_argument, {"u8", "f32"});
  const std::vector<Label> labels{1, 2};
  expect_error(error_of(data.add(batch_of(values, 2), labels)), ErrorCode::invalid_argument,
               {"2 labels", "3"});
  expect_error(error_of(data.add({values.data(), kRowsMax + 1, 2, DType::f32}, {})),
               ErrorCode::over_limit, {std::to_string(kRowsMax)});
  expect_error(error_of(data.add({nullptr, 1, 2, DType::f32}, {})), ErrorCode::invalid_argument,
               {"no data"});
  EXPECT_EQ(data.count(), 0U);
}

TEST(Dataset, WantsLabelsWithEveryBatchOrWithNone) {
  const std::vector<float> values{1, 2};
  const std::vector<Label> labels{7};
  Dataset with(Metric::l2, 2, DType::f32), without(Metric::l2, 2, DType::f32);
  ASSERT_TRUE(ok(with.add(batch_of(values, 2), labels)));
  expect_error(error_of(with.add(batch_of(values, 2), {})), ErrorCode::invalid_argument,
               {"row 1", "no labels"});
  ASSERT_TRUE(ok(without.add(batch_of(values, 2), {})));
  expect_error(error_of(without.add(batch_of(values, 2), labels)), ErrorCode::invalid_argument,
               {"row 1", "found labels"});
}

TEST(Dataset, NamesALabelOfTwoRows) {
  Dataset data(Metric::l2, 1, DType::f32);
  const std::vector<float> values{1, 2, 3, 4};
  const std::vector<Label> labels{9, ~Label{0}, 5, ~Label{0}};
  ASSERT_TRUE(ok(data.add(batch_of(values, 1), labels)));
  expect_error(error_of(data.check_labels()), ErrorCode::invalid_argument,
               {"label 18446744073709551615", "rows 1 and 3"});
}

TEST(Dataset, DigestCoversRowsAndLabels) {
  const auto digest = [](const std::vector<float>& values, const std::vector<Label>& labels) {
    Dataset data(Metric::l2, 1, DType::f32);
    EXPECT_TRUE(ok(data.add(batch_of(values, 1), labels)));
    return data.digest();
  };
  const std::uint64_t one = digest({1, 2}, {0, 1});
  EXPECT_EQ(one, digest({1, 2}, {}));  // labels are positions
  EXPECT_NE(one, digest({2, 1}, {0, 1}));
  EXPECT_NE(one, digest({1, 2}, {1, 0}));
}

TEST(GrowingBytes, HoldsWhatWasAppended) {
  constexpr std::uint64_t kSeed = 5;
  std::vector<std::byte> all;
  GrowingBytes bytes;
  for (std::size_t part = 0; part < 200; ++part) {
    const auto more = io::random_bytes(part * 37 % 1000, kSeed + part);
    bytes.append(more);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(bytes.size(), all.size());
  EXPECT_EQ(std::memcmp(bytes.data(), all.data(), all.size()), 0);
}

}  // namespace
}  // namespace cairn::build
