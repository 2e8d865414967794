// All pairs of a leaf: the tiles, as a fraction of what the core can do at most, beside one pair
// kernel call a pair and beside OpenBLAS (dot products alone, one thread; it chooses its own path,
// which OPENBLAS_CORETYPE sets: Haswell is AVX2; its of_peak is of the best path here).
#include "engine/math/tile.h"

#ifdef CAIRN_HAVE_OPENBLAS
#include <cblas.h>
#endif

#include <algorithm>

#include "bench/engine/math/paths.h"
#include "bench/engine/math/peak.h"
#include "engine/math/distance.h"

namespace cairn::math {
namespace {

constexpr std::size_t kLeaf = 480, kRowsAtOnce = 24;

struct Leaf {
  Leaf(DType dtype, std::uint32_t dim)
      : bytes(random_bytes(kLeaf * dim, 1)), floats(random_floats(kLeaf * dim, 1)) {
    const void* data = dtype == DType::f32 ? static_cast<const void*>(floats.data()) : bytes.data();
    batch = {data, kLeaf, dim, dtype};
  }
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  VectorBatch batch;
};

void report_pairs(benchmark::State& state, std::size_t dim, double peak_macs) {
  report_each(state, kLeaf * kLeaf);
  const double macs = static_cast<double>(kLeaf * kLeaf * dim);
  state.counters["of_peak"] =
      benchmark::Counter(macs / peak_macs, benchmark::Counter::kIsIterationInvariantRate);
}

double peak(DType dtype) { return dtype == DType::f32 ? peak_float_macs() : peak_byte_macs(); }

void tiles(benchmark::State& state, DType dtype, std::uint32_t dim) {
  const Leaf leaf(dtype, dim);
  TileSet set;
  set.pack(leaf.batch);
  const std::size_t ld = tile_ld(kLeaf);
  std::vector<float> out(kRowsAtOnce * ld);
  for (auto _ : state)
    for (std::size_t row = 0; row < kLeaf; row += kRowsAtOnce) {
      tile_l2(set, row, kRowsAtOnce, set, out.data(), ld);
      benchmark::DoNotOptimize(out.data());
      benchmark::ClobberMemory();
    }
  report_pairs(state, dim, peak(dtype));
}

void one_by_one(benchmark::State& state, DType dtype, std::uint32_t dim) {
  const Leaf leaf(dtype, dim);
  const PairKernel kernel = l2_kernel(dtype);
  for (auto _ : state)
    for (std::size_t i = 0; i < kLeaf; ++i)
      for (std::size_t j = 0; j < kLeaf; ++j)
        benchmark::DoNotOptimize(kernel(leaf.batch.row(i).data, leaf.batch.row(j).data, dim));
  report_pairs(state, dim, peak(dtype));
}

void packing(benchmark::State& state, DType dtype, std::uint32_t dim) {
  const Leaf leaf(dtype, dim);
  TileSet set;
  for (auto _ : state) set.pack(leaf.batch);
  report_each(state, kLeaf);
}

#ifdef CAIRN_HAVE_OPENBLAS
void openblas(benchmark::State& state, std::uint32_t dim) {
  const Leaf leaf(DType::f32, dim);
  openblas_set_num_threads(1);
  std::vector<float> out(kLeaf * kLeaf);
  const auto n = static_cast<blasint>(kLeaf), k = static_cast<blasint>(dim);
  for (auto _ : state)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, k, 1, leaf.floats.data(), k,
                leaf.floats.data(), k, 0, out.data(), n);
  report_pairs(state, dim, peak(DType::f32));
  state.SetLabel(openblas_get_corename());
}
#endif

void register_all() {
  for (const DType dtype : {DType::u8, DType::f32})
    for (const std::uint32_t dim : {100U, 128U, 768U}) {
      const std::string shape = joined({dtype_name(dtype), std::to_string(dim)});
      on_every_path(joined({"tile", shape}),
                    [=](benchmark::State& state) { tiles(state, dtype, dim); });
      on_every_path(joined({"one_by_one", shape}),
                    [=](benchmark::State& state) { one_by_one(state, dtype, dim); });
      on_every_path(joined({"pack", shape}),
                    [=](benchmark::State& state) { packing(state, dtype, dim); });
    }
#ifdef CAIRN_HAVE_OPENBLAS
  for (const std::uint32_t dim : {100U, 128U, 768U})
    benchmark::RegisterBenchmark(joined({"openblas_sgemm/f32", std::to_string(dim)}).c_str(),
                                 [=](benchmark::State& state) { openblas(state, dim); })
        ->MinTime(0.1);
#endif
}

const int registered = (register_all(), 0);

}  // namespace
}  // namespace cairn::math

BENCHMARK_MAIN();
