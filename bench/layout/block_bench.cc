// What a block costs between the read and the first distance: its checksum, and the decoding of its
// adjacency. A block as 500k SIFT descriptors have them: 4 KiB, 17 rows of 128 bytes, 47 edges
// each.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <vector>

#include "layout/node_block.h"
#include "layout/page.h"

namespace cairn::layout {
namespace {

constexpr std::uint32_t kSlotCount = 500'000;
constexpr std::uint32_t kFirstSlot = 250'000 / 17 * 17;
constexpr std::uint32_t kDegree = 47;
constexpr BlockShape kShape{.block_bytes = 4096, .slots = 17, .row_bytes = 128, .has_norms = false};
constexpr PageId kId{.identity = 7, .page = kFirstSlot / 17, .generation = 1};

/// Most edges stay near their owner, as in an order by locality.
std::vector<std::byte> make_block() {
  std::vector<std::byte> page(kShape.block_bytes);
  std::mt19937 random(1);
  std::normal_distribution<double> distance(0, 2000);
  const std::array<std::byte, 128> row{};
  BlockWriter writer(kShape, page, kFirstSlot);
  for (std::uint32_t place = 0; place < kShape.slots; ++place) {
    std::vector<std::uint32_t> targets;
    while (targets.size() < kDegree) {
      const auto target = static_cast<std::uint32_t>(kFirstSlot + distance(random));
      if (std::find(targets.begin(), targets.end(), target) == targets.end())
        targets.push_back(target);
    }
    std::sort(targets.begin(), targets.end());
    writer.put(place, row.data(), place, 1.0F, targets);
  }
  writer.finish();
  seal_page(page, kId);
  return page;
}

void BM_Checksum(benchmark::State& state) {
  const std::vector<std::byte> page = make_block();
  for (auto _ : state) benchmark::DoNotOptimize(check_page(page, kId).has_value());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * page.size()));
}
BENCHMARK(BM_Checksum);

void BM_DecodeBlock(benchmark::State& state) {
  const std::vector<std::byte> page = make_block();
  std::array<std::uint32_t, kDegreeMax> targets;
  std::int64_t edges = 0;
  for (auto _ : state) {
    const auto view = BlockView::open(kShape, page, kFirstSlot);
    if (!view) std::abort();
    for (std::uint32_t place = 0; place < kShape.slots; ++place) {
      const auto degree = view->neighbors(place, kSlotCount, targets);
      if (!degree) std::abort();
      edges += *degree;
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(edges);
}
BENCHMARK(BM_DecodeBlock);

}  // namespace
}  // namespace cairn::layout

BENCHMARK_MAIN();
