// Product quantisation: training, encoding, tables, sums of codes in and out of cache, refined
// codes.
#include "engine/math/pq.h"

#include "bench/engine/math/paths.h"

namespace cairn::math {
namespace {

constexpr std::size_t kRows = 4096;
const std::vector<PqShape> kShapes{{128, 32}, {100, 50}, {768, 96}, {784, 32}};

Codebook random_book(const PqShape& shape) {
  Codebook book{.shape = shape, .centroids = random_floats(kCentroids * shape.dim, 3)};
  pq_prepare(book);
  return book;
}

/// 65,536 rows, the usual sample.
void train(benchmark::State& state) {
  const auto sample = random_floats(65536 * 128, 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(pq_train(sample, {128, 32}, {.iterations = 10}).centroids.data());
}

void encode(benchmark::State& state, const PqShape& shape) {
  const Codebook book = random_book(shape);
  const auto rows = random_floats(kRows * shape.dim, 1);
  std::vector<std::uint8_t> codes(kRows * shape.m);
  for (auto _ : state) pq_encode(book, rows, codes);
  report_each(state, kRows);
}

void table(benchmark::State& state, const PqShape& shape) {
  const Codebook book = random_book(shape);
  const auto query = random_floats(shape.dim, 1);
  std::vector<float> out(shape.m * kCentroids);
  for (auto _ : state) pq_table(book, Metric::l2, query, out);
  report_each(state, 1);
}

/// `rows` codes: a few lie in L1, millions in no cache.
void lookup(benchmark::State& state, const PqShape& shape, std::size_t rows) {
  const auto sums = random_floats(shape.m * kCentroids, 1);
  const auto codes = random_bytes(rows * shape.m, 2);
  std::vector<std::uint32_t> slots(1024);
  std::vector<float> out(slots.size());
  std::mt19937_64 random(3);
  for (auto _ : state) {
    state.PauseTiming();
    for (auto& slot : slots) slot = static_cast<std::uint32_t>(random() % rows);
    state.ResumeTiming();
    pq_lookup_batch(sums.data(), shape.m, codes.data(), slots, out.data());
  }
  report_each(state, static_cast<double>(slots.size()));
}

/// A base code and `layers`, bytes each, of rows that lie in no nearer cache than L2.
void refined(benchmark::State& state, const PqShape& base,
             const std::vector<std::uint32_t>& layers) {
  std::vector<Codebook> books{random_book(base)};
  for (const std::uint32_t m : layers) books.push_back(random_book({base.dim, m}));
  LayeredCodebook book;
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<const std::uint8_t*> codes;
  for (const Codebook& layer : books) {
    book.add(layer);
    codes.push_back(bytes.emplace_back(random_bytes(kRows * layer.shape.m, bytes.size())).data());
  }
  const auto query = random_floats(base.dim, 1);
  std::vector<float> scratch(pq_refined_floats(base.dim));
  for (auto _ : state)
    for (std::size_t i = 0; i < kRows; ++i)
      benchmark::DoNotOptimize(pq_refined(book, codes, i, Metric::l2, query.data(), scratch));
  report_each(state, kRows);
}

void register_all() {
  for (const PqShape& shape : kShapes) {
    const std::string name = joined({std::to_string(shape.dim), std::to_string(shape.m)});
    on_every_path(joined({"pq_encode", name}),
                  [=](benchmark::State& state) { encode(state, shape); });
    on_every_path(joined({"pq_table", name}),
                  [=](benchmark::State& state) { table(state, shape); });
    on_every_path(joined({"pq_refined", name, std::to_string(shape.m)}),
                  [=](benchmark::State& state) { refined(state, shape, {shape.m}); });
  }
  on_every_path("pq_refined/128/32/6", [](benchmark::State& state) {
    refined(state, {128, 32}, {6});
  });
  on_every_path("pq_refined/128/32/6+10+8+8", [](benchmark::State& state) {
    refined(state, {128, 32}, {6, 10, 8, 8});
  });
  on_every_path("pq_refined/100/32/6+10+8+8", [](benchmark::State& state) {
    refined(state, {100, 32}, {6, 10, 8, 8});
  });
  for (const std::size_t rows : {64U, 4000000U})
    benchmark::RegisterBenchmark(
        joined({"pq_lookup_batch/128/32/rows", std::to_string(rows)}).c_str(),
        [=](benchmark::State& state) {
          lookup(state, {128, 32}, rows);
        })
        ->MinTime(0.1);
  on_every_path("pq_train/65536/128/32", train);
}

const int registered = (register_all(), 0);

}  // namespace
}  // namespace cairn::math

BENCHMARK_MAIN();
