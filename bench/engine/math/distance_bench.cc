// Pair distances of rows in L1 and selection of the smallest of a row of distances.
#include "engine/math/distance.h"

#include "bench/engine/math/paths.h"
#include "engine/math/topk.h"

namespace cairn::math {
namespace {

constexpr std::size_t kRows = 16;

void pairs(benchmark::State& state, DType dtype, std::size_t dim) {
  const auto bytes = random_bytes((kRows + 1) * dim, 1);
  const auto floats = random_floats((kRows + 1) * dim, 1);
  const auto* base =
      dtype == DType::f32 ? reinterpret_cast<const std::uint8_t*>(floats.data()) : bytes.data();
  const std::size_t row_bytes = dim * dtype_bytes(dtype);
  const PairKernel kernel = l2_kernel(dtype);
  for (auto _ : state)
    for (std::size_t i = 1; i <= kRows; ++i)
      benchmark::DoNotOptimize(kernel(base, base + i * row_bytes, dim));
  report_each(state, kRows);
}

void smallest(benchmark::State& state, std::size_t count, std::size_t k) {
  constexpr std::size_t kLists = 64;  // too many for the branch predictor to learn
  const auto values = random_floats(kLists * count, 2);
  std::uint32_t index[kSmallestMax];
  float value[kSmallestMax];
  for (auto _ : state)
    for (std::size_t i = 0; i < kLists; ++i) {
      smallest_k(values.data() + i * count, count, k, index, value);
      benchmark::DoNotOptimize(index[0]);
    }
  report_each(state, kLists);
}

void register_all() {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32})
    for (const std::size_t dim : {100U, 128U, 768U, 784U})
      on_every_path(joined({"l2", dtype_name(dtype), std::to_string(dim)}),
                    [=](benchmark::State& state) { pairs(state, dtype, dim); });
  for (const std::size_t count : {20U, 300U, 500U})
    for (const std::size_t k : {1U, 3U, 8U})
      on_every_path(joined({"smallest_k", std::to_string(count), std::to_string(k)}),
                    [=](benchmark::State& state) { smallest(state, count, k); });
}

const int registered = (register_all(), 0);

}  // namespace
}  // namespace cairn::math

BENCHMARK_MAIN();
