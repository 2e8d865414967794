#include "tools/figures.h"

#include <gtest/gtest.h>

#include <chrono>

namespace cairn::tools {
namespace {

TEST(Figures, PercentilesAreNearestRanksInAnyOrder) {
  std::vector<double> samples;
  for (int i = 1000; i >= 1; --i) samples.push_back(i);
  const Latency latency = latency_of(samples);
  EXPECT_DOUBLE_EQ(latency.mean_us, 500.5);
  EXPECT_DOUBLE_EQ(latency.p50_us, 500);
  EXPECT_DOUBLE_EQ(latency.p99_us, 990);
  EXPECT_DOUBLE_EQ(latency.p999_us, 999);
}

TEST(Figures, AnAnswerCountsUpToTheKthDistance) {
  EXPECT_TRUE(counts_as_found(100, 100, Metric::l2, DType::u8));
  EXPECT_FALSE(counts_as_found(100.0005, 100, Metric::l2, DType::u8)) << "whole distances";
  EXPECT_FALSE(counts_as_found(100.0005, 100, Metric::l2, DType::i8));
  EXPECT_TRUE(counts_as_found(100.0005, 100, Metric::l2, DType::f32)) << "rounding is allowed for";
  EXPECT_FALSE(counts_as_found(100.002, 100, Metric::l2, DType::f32));
  EXPECT_TRUE(counts_as_found(-3.00002, -3.00004, Metric::ip, DType::u8)) << "1 - dot is below 0";
  EXPECT_FALSE(counts_as_found(-2.9999, -3, Metric::ip, DType::u8));
  EXPECT_TRUE(counts_as_found(5e-7, 0, Metric::cosine, DType::u8));
}

TEST(Figures, FewSamplesAndNone) {
  const Latency one = latency_of({7});
  EXPECT_DOUBLE_EQ(one.p50_us, 7);
  EXPECT_DOUBLE_EQ(one.p999_us, 7);
  const Latency two = latency_of({9, 1});
  EXPECT_DOUBLE_EQ(two.p50_us, 1);
  EXPECT_DOUBLE_EQ(two.p99_us, 9);
  EXPECT_DOUBLE_EQ(latency_of({}).mean_us, 0);
}

TEST(Figures, CoreTimePassesWithWork) {
  const double before = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  volatile double sink = 0;
  while (cpu_seconds() - before < .02) {
    sink = sink + 1;
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  }
  EXPECT_GE(cpu_seconds() - before, .02);
}

}  // namespace
}  // namespace cairn::tools
