#include "engine/math/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr float kFar = std::numeric_limits<float>::infinity();

class TopK : public OnPath {};
CAIRN_ON_EVERY_PATH(TopK);

std::vector<std::uint32_t> sorted_indices(const std::vector<float>& values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](std::uint32_t i) { return std::isnan(values[i]) ? kFar : values[i]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  return order;
}

void check(const std::vector<float>& values) {
  const auto order = sorted_indices(values);
  for (std::size_t k = 1; k <= kSmallestMax; ++k) {
    std::vector<std::uint32_t> index(k, 77);
    std::vector<float> value(k, -1);
    smallest_k(values.data(), values.size(), k, index.data(), value.data());
    for (std::size_t i = 0; i < k; ++i) {
      ASSERT_EQ(index[i], i < order.size() ? order[i] : kNone) << "k " << k << " place " << i;
      const float expected = i < order.size() ? values[order[i]] : kFar;
      ASSERT_EQ(value[i], std::isnan(expected) ? kFar : expected);
    }
  }
  ASSERT_EQ(argmin(values.data(), values.size()), order.empty() ? 0 : order[0]);
}

TEST_P(TopK, EveryLengthMatchesASort) {
  for (std::size_t count = 0; count < 300; ++count) {
    SCOPED_TRACE("count and seed " + std::to_string(count));
    check(random_floats(count, count));
  }
}

TEST_P(TopK, TiesGoToTheLowestIndex) {
  for (std::size_t count : {5U, 40U, 500U}) {
    std::mt19937_64 random(count);
    SCOPED_TRACE("count and seed " + std::to_string(count));
    std::vector<float> values(count);
    for (auto& value : values) value = static_cast<float>(random() % 4);
    check(values);
    check(std::vector<float>(count, 3));
    check(std::vector<float>(count, kFar));
  }
}

TEST_P(TopK, OrderedRowsAreNoSpecialCase) {
  std::vector<float> values(257);
  std::iota(values.begin(), values.end(), -100.0F);
  check(values);
  std::reverse(values.begin(), values.end());
  check(values);
}

TEST_P(TopK, NotANumberCountsAsInfinite) {
  for (std::size_t count : {3U, 64U, 300U}) {
    auto values = random_floats(count, count);
    for (std::size_t i = 0; i < count; i += 3) values[i] = std::nanf("");
    check(values);
    check(std::vector<float>(count, std::nanf("")));
  }
}

}  // namespace
}  // namespace cairn::math
