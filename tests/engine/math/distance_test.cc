#include "engine/math/distance.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::uint64_t kSeed = 20240611;

class Distance : public OnPath {};
CAIRN_ON_EVERY_PATH(Distance);

template <class T>
std::int64_t exact_l2(const T* a, const T* b, std::size_t dim) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += (int{a[i]} - int{b[i]}) * (int{a[i]} - int{b[i]});
  return sum;
}

template <class T>
std::int64_t exact_dot(const T* a, const T* b, std::size_t dim) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += int{a[i]} * int{b[i]};
  return sum;
}

/// Two adjacent rows that end exactly where readable memory ends, and start where it starts.
class Fenced {
 public:
  explicit Fenced(std::size_t bytes) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    const std::size_t body = (bytes + page_ - 1) / page_ * page_;
    size_ = body + 2 * page_;
    base_ = static_cast<std::uint8_t*>(
        mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(base_ + page_, body, PROT_READ | PROT_WRITE), 0);
    first_ = base_ + page_;
    last_ = base_ + page_ + body - bytes;
  }
  ~Fenced() { munmap(base_, size_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  void* first() const { return first_; }
  void* last() const { return last_; }

 private:
  std::size_t page_, size_ = 0;
  std::uint8_t *base_ = nullptr, *first_ = nullptr, *last_ = nullptr;
};

template <class T>
void check_bytes(DType dtype) {
  const auto bytes = random_bytes(4096, kSeed);
  for (std::size_t dim = 0; dim <= 300; ++dim) {
    const auto* a = reinterpret_cast<const T*>(bytes.data()) + dim % 7;
    const auto* b = a + dim + 1;
    ASSERT_EQ(l2_kernel(dtype)(a, b, dim), static_cast<float>(exact_l2(a, b, dim))) << dim;
    ASSERT_EQ(dot_kernel(dtype)(a, b, dim), static_cast<float>(exact_dot(a, b, dim))) << dim;
  }
}

TEST_P(Distance, BytesEqualTheScalarReferenceAtEveryTail) {
  RecordProperty("seed", std::to_string(kSeed));
  check_bytes<std::uint8_t>(DType::u8);
  check_bytes<std::int8_t>(DType::i8);
}

TEST_P(Distance, ExtremeBytesAreExactAtTheLargestDimension) {
  const std::vector<std::uint8_t> low(kDimMax, 0), high(kDimMax, 255);
  const std::vector<std::int8_t> negative(kDimMax, -128), positive(kDimMax, 127);
  const auto full = static_cast<float>(std::int64_t{kDimMax} * 255 * 255);
  EXPECT_EQ(l2_kernel(DType::u8)(low.data(), high.data(), kDimMax), full);
  EXPECT_EQ(dot_kernel(DType::u8)(high.data(), high.data(), kDimMax), full);
  EXPECT_EQ(l2_kernel(DType::i8)(negative.data(), positive.data(), kDimMax), full);
  EXPECT_EQ(dot_kernel(DType::i8)(negative.data(), negative.data(), kDimMax),
            static_cast<float>(std::int64_t{kDimMax} * 128 * 128));
}

TEST_P(Distance, FloatsStayWithinTheStatedError) {
  for (std::size_t dim = 0; dim <= 200; ++dim) {
    SCOPED_TRACE("dim " + std::to_string(dim) + " seed " + std::to_string(kSeed + dim));
    const auto rows = random_floats(2 * dim + 1, kSeed + dim, 30);
    const float *a = rows.data(), *b = a + dim;
    double l2 = 0, dot = 0, magnitude = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      dot += double{a[i]} * b[i];
      magnitude += std::abs(double{a[i]} * b[i]);
    }
    const double bound = 1e-5 * std::sqrt(static_cast<double>(dim));
    ASSERT_NEAR(l2_kernel(DType::f32)(a, b, dim), l2, bound * l2);
    ASSERT_NEAR(dot_kernel(DType::f32)(a, b, dim), dot, bound * magnitude);
  }
}

TEST_P(Distance, NothingOutsideTheRowIsRead) {
  for (std::size_t dim = 1; dim <= 140; ++dim) {
    for (DType dtype : {DType::u8, DType::i8, DType::f32}) {
      const std::size_t bytes = dim * dtype_bytes(dtype);
      const Fenced a(bytes), b(bytes);
      ASSERT_EQ(l2_kernel(dtype)(a.last(), b.last(), dim), 0);
      ASSERT_EQ(l2_kernel(dtype)(a.first(), b.last(), dim), 0);
      ASSERT_EQ(dot_kernel(dtype)(a.first(), b.first(), dim), 0);
      ASSERT_EQ(dot_kernel(dtype)(a.last(), b.last(), dim), 0);
      const VectorView row{a.last(), static_cast<std::uint32_t>(dim), dtype};
      ASSERT_EQ(inverse_norm(row), 0);
      ASSERT_TRUE(all_finite(row));
    }
  }
}

TEST_P(Distance, InverseNormSurvivesLargeAndSmallRows) {
  for (float scale : {1e-30F, 1e-3F, 1.0F, 1e30F}) {
    const std::vector<float> row(19, scale);
    const double expected = 1 / (double{scale} * std::sqrt(19.0));
    EXPECT_NEAR(inverse_norm({row.data(), 19, DType::f32}), expected, expected * 1e-6);
  }
  const std::vector<std::int8_t> bytes(100, -3);
  EXPECT_FLOAT_EQ(inverse_norm({bytes.data(), 100, DType::i8}), 1.0F / 30);
  const std::vector<float> tiny(4, std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(inverse_norm({tiny.data(), 4, DType::f32}), std::numeric_limits<float>::max());
}

TEST_P(Distance, FloatRowsMayStartAtAnyByte) {
  constexpr std::size_t kDimLargest = 70;
  const auto values = random_floats(2 * kDimLargest, kSeed);
  for (std::uint32_t dim = 1; dim <= kDimLargest; ++dim) {
    const std::size_t bytes = dim * sizeof(float);
    const float *a = values.data(), *b = a + kDimLargest;
    std::vector<std::byte> odd_a(bytes + 1), odd_b(bytes + 1);
    std::memcpy(odd_a.data() + 1, a, bytes);
    std::memcpy(odd_b.data() + 1, b, bytes);
    const void *at_a = odd_a.data() + 1, *at_b = odd_b.data() + 1;
    ASSERT_EQ(l2_kernel(DType::f32)(at_a, at_b, dim), l2_kernel(DType::f32)(a, b, dim));
    ASSERT_EQ(dot_kernel(DType::f32)(at_a, at_b, dim), dot_kernel(DType::f32)(a, b, dim));
    ASSERT_EQ(inverse_norm({at_a, dim, DType::f32}), inverse_norm({a, dim, DType::f32}));
    ASSERT_TRUE(all_finite({at_a, dim, DType::f32}));
    const float bad = std::numeric_limits<float>::infinity();
    std::memcpy(odd_a.data() + 1 + bytes - sizeof bad, &bad, sizeof bad);
    ASSERT_FALSE(all_finite({at_a, dim, DType::f32}));
  }
}

TEST_P(Distance, ScorerGivesEachMetric) {
  const std::vector<float> a{1, 2, 2}, b{2, 0, 1};
  const VectorView query{a.data(), 3, DType::f32};
  const float inverse = inverse_norm({b.data(), 3, DType::f32});
  EXPECT_FLOAT_EQ(Scorer(Metric::l2, query)(b.data(), inverse), 6);
  EXPECT_FLOAT_EQ(Scorer(Metric::ip, query)(b.data(), inverse), -3);
  EXPECT_NEAR(Scorer(Metric::cosine, query)(b.data(), inverse), 1 - 4 / (3 * std::sqrt(5)), 1e-6);
  EXPECT_NEAR(Scorer(Metric::cosine, query)(a.data(), inverse_norm(query)), 0, 1e-6);
  const std::vector<float> zero(3, 0);
  EXPECT_EQ(Scorer(Metric::cosine, query)(zero.data(), 0), 1);
}

TEST_P(Distance, KernelPathNamesTheForcedTarget) {
  EXPECT_EQ(kernel_path(), hwy::TargetName(GetParam()));
}

TEST(AllFinite, FindsOneBadElementAnywhere) {
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::quiet_NaN()}) {
    for (std::size_t at = 0; at < 37; ++at) {
      std::vector<float> row(37, std::numeric_limits<float>::max());
      EXPECT_TRUE(all_finite({row.data(), 37, DType::f32}));
      row[at] = bad;
      EXPECT_FALSE(all_finite({row.data(), 37, DType::f32})) << at;
    }
  }
}

}  // namespace
}  // namespace cairn::math
