// The search machine over an index in RAM: whole queries, and its parts. Run with --curve for a
// table of recall, reads and core time against list size instead; --base / --queries name u8bin
// files, --count takes the first so many.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <random>

#include "bench/engine/search/query_world.h"
#include "engine/search/candidate_list.h"
#include "engine/search/visited_filter.h"

namespace cairn::search::bench {
namespace {

WorldOptions options;

const World& world() {
  static const World made = make_world(options);
  return made;
}

struct Setting {
  std::uint32_t nav_slices;  // 0..degree / 8
  bool refine;
};

Segment segment_of(const World& w, const Setting& setting) {
  Segment segment = w.owner->view();
  segment.nav_complete = setting.nav_slices >= segment.nav.size();
  segment.nav = segment.nav.first(std::min<std::size_t>(setting.nav_slices, segment.nav.size()));
  if (!setting.refine) segment.refine_codebook = nullptr;
  return segment;
}

struct Outcome {
  SearchCounters counters;
  std::uint64_t hits = 0, queries = 0;
};

/// One query with every read answered at once, in rounds.
void run_one(const World& w, Query& query, std::span<const Segment> segments, std::uint32_t i,
             std::uint32_t list_size, Outcome& outcome) {
  BlockWant wanted[256];
  SearchRequest request;
  request.query = w.queries.row(i);
  request.list_size = list_size;
  query.start(request, segments);
  while (!query.done()) {
    const std::uint32_t count = query.wants(wanted);
    query.count_round();
    for (std::uint32_t b = 0; b < count; ++b)
      if (!query.absorb(wanted[b], w.owner->page(wanted[b].first_slot), io::BlockSource::disk))
        std::abort();
  }
  const SearchResult result = query.take();
  outcome.counters += result.counters;
  for (const Neighbor& n : result.neighbors)
    for (const Label label : w.truth[i]) outcome.hits += n.label == label;
  ++outcome.queries;
}

void whole_query(benchmark::State& state) {
  const World& w = world();
  const Segment segments[] = {
      segment_of(w, {static_cast<std::uint32_t>(state.range(0)), state.range(1) != 0})};
  Query query(w.limits);
  Outcome outcome;
  std::uint32_t i = 0;
  for (auto _ : state) {
    run_one(w, query, segments, i, static_cast<std::uint32_t>(state.range(2)), outcome);
    i = (i + 1) % w.queries.count;
  }
  const auto mean = [&](std::uint64_t sum) {
    return static_cast<double>(sum) / static_cast<double>(outcome.queries);
  };
  const std::uint32_t units = segments[0].shape.block_bytes / 4096;
  state.counters["blocks"] = mean(outcome.counters.reads / units);
  state.counters["rounds"] = mean(outcome.counters.rounds);
  state.counters["codes"] = mean(outcome.counters.code_distances);
  state.counters["expanded"] = mean(outcome.counters.expanded);
  state.counters["recall"] = mean(outcome.hits) / 10;
}
BENCHMARK(whole_query)
    ->ArgNames({"nav", "refine", "list"})
    ->Args({0, 0, 40})
    ->Args({0, 1, 40})
    ->Args({2, 0, 40})
    ->Args({2, 1, 40})
    ->Args({8, 0, 40})
    ->Args({8, 1, 40})
    ->Args({8, 1, 20})
    ->Args({8, 0, 400})
    ->Args({8, 1, 4000})
    ->Unit(benchmark::kMicrosecond);

/// Tables, entry points, and with no edges in RAM nothing else.
void start_only(benchmark::State& state) {
  const World& w = world();
  const Segment segments[] = {segment_of(w, {0, false})};
  Query query(w.limits);
  std::uint32_t i = 0;
  for (auto _ : state) {
    SearchRequest request;
    request.query = w.queries.row(i);
    query.start(request, segments);
    benchmark::DoNotOptimize(query.done());
    i = (i + 1) % w.queries.count;
  }
}
BENCHMARK(start_only)->Unit(benchmark::kMicrosecond);

/// Steps of a search: 40 new distances each, drawn ever nearer, so that a few enter the list.
void list_offer(benchmark::State& state) {
  constexpr std::size_t kSteps = 64, kTargets = 40;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> unit(0, 1);
  std::vector<std::uint32_t> slots(kSteps * kTargets);
  std::vector<float> distances(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i] = static_cast<std::uint32_t>(random());
    distances[i] = unit(random) / static_cast<float>(1 + i / kTargets);
  }
  CandidateList list;
  for (auto _ : state) {
    list.reset(static_cast<std::size_t>(state.range(0)));
    for (std::size_t at = 0; at < slots.size(); at += kTargets)
      list.offer(0, std::span(slots).subspan(at, kTargets), distances.data() + at, 0);
    benchmark::DoNotOptimize(list.bound());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSteps));
}
BENCHMARK(list_offer)->Arg(50)->Arg(1024);

void visited_insert(benchmark::State& state) {
  VisitedFilter filter;
  std::uint32_t slot = 0;
  for (auto _ : state) benchmark::DoNotOptimize(filter.insert(0, slot += 977));
}
BENCHMARK(visited_insert);

void print_curve() {
  const World& w = world();
  std::printf("%4s %6s %5s %8s %8s %8s %8s %8s\n", "nav", "refine", "list", "recall", "blocks",
              "rounds", "codes", "us");
  for (const Setting setting : {Setting{0, false}, Setting{0, true}, Setting{1, true},
                                Setting{2, true}, Setting{8, false}, Setting{8, true}}) {
    const Segment segments[] = {segment_of(w, setting)};
    for (const std::uint32_t list_size : {10u, 14u, 20u, 28u, 40u, 56u, 80u, 112u, 160u}) {
      Query query(w.limits);
      Outcome outcome;
      const auto begin = std::chrono::steady_clock::now();
      for (std::uint32_t i = 0; i < w.queries.count; ++i)
        run_one(w, query, segments, i, list_size, outcome);
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - begin;
      const double n = static_cast<double>(outcome.queries);
      const double units = segments[0].shape.block_bytes / 4096;
      std::printf("%4u %6d %5u %8.4f %8.2f %8.2f %8.0f %8.1f\n", setting.nav_slices, setting.refine,
                  list_size, static_cast<double>(outcome.hits) / (10 * n),
                  outcome.counters.reads / units / n, outcome.counters.rounds / n,
                  outcome.counters.code_distances / n, took.count() / n);
    }
  }
}

}  // namespace
}  // namespace cairn::search::bench

int main(int argc, char** argv) {
  using namespace cairn::search::bench;
  bool curve = false;
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    const auto value_of = [&](const char* name) -> const char* {
      const std::size_t length = std::strlen(name);
      return std::strncmp(argv[i], name, length) == 0 ? argv[i] + length : nullptr;
    };
    if (std::strcmp(argv[i], "--curve") == 0)
      curve = true;
    else if (const char* base = value_of("--base="))
      options.base_path = base;
    else if (const char* queries = value_of("--queries="))
      options.query_path = queries;
    else if (const char* count = value_of("--count="))
      options.count = static_cast<std::uint32_t>(std::strtoul(count, nullptr, 10));
    else
      rest.push_back(argv[i]);
  }
  if (curve) {
    print_curve();
    return 0;
  }
  int rest_count = static_cast<int>(rest.size());
  benchmark::Initialize(&rest_count, rest.data());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
