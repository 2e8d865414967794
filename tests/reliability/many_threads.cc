// Threads that use one index at once for a while, every answer checked. Meant for a TSan build.
//   many_threads [--mix search|batch|async|open|verify|all|every] [--threads N] [--seconds S]
//                [--seed S]
// search: single searches and fetches, now and then without cache; batch; async: with cancellation,
// and engines that end with requests pending; open: each thread opens the folder for some searches
// while one publishes calibrations in it; verify: verify, inspect, scan, examine and explain beside
// searches. all: a thread does now this, now that. every: all of these, each for --seconds.
#include "tests/reliability/many_threads.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace cairn::reliability {
namespace {

struct Options {
  std::uint64_t threads = 8, seconds = 2, seed = 1;
  std::string mix = "all";
};

std::unique_ptr<Index> must_open(const std::string& folder, const OpenOptions& options) {
  auto opened = Index::open(folder, options);
  if (!opened) give_up(opened.error());
  return std::move(*opened);
}

/// One mix, on indexes opened for it; false when something was wrong.
bool run_mix(Mix mix, const KnownIndex& known, const std::string& folder, const Options& options) {
  const auto whole =
      must_open(folder, {.memory_limit_bytes = known.whole_bytes() + (std::uint64_t{128} << 10)});
  const auto lean = must_open(folder, {.memory_limit_bytes = known.lean_bytes()});
  auto engine = whole->start_async({.threads = 2, .queue_max = 64});
  if (!engine) give_up(engine.error());
  const Shared shared{known, folder, *whole, *lean, **engine};
  ThreadCounts counts;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < options.threads; ++t)
      threads.emplace_back([&, t] {
        Worker worker(shared, counts, t, options.seed * 1000 + t);
        while (std::chrono::steady_clock::now() < end) worker.step(mix);
      });
  }
  while (counts.completed != counts.submitted) std::this_thread::yield();
  engine->reset();
  std::printf(
      "  %s: seed %llu, %llu threads, %llu s: %llu searches, %llu in batches, %llu "
      "asynchronous and %llu more cancelled, %llu opens, %llu calibrations published, %llu whole "
      "passes, %llu fetches; %llu wrong\n",
      mix_name(mix), number(options.seed), number(options.threads), number(options.seconds),
      number(counts.searches), number(counts.batched), number(counts.answered()),
      number(counts.cancelled), number(counts.opens), number(counts.published),
      number(counts.passes), number(counts.fetches), number(counts.wrong));
  std::fflush(stdout);
  return counts.wrong == 0 && counts.of(mix) != 0;
}

int run(const Options& options) {
  SimIndexSpec spec;
  spec.vectors = {.count = 2000, .dim = 24, .queries = 40, .seed = options.seed};
  spec.two_segments = true;
  spec.build.code_bytes = 12;
  spec.build.refine_layers = {4, 8};
  spec.build.degree = 24;
  spec.build.calibration_rows = 60;
  const KnownIndex known("searched by threads", spec);
  const ScratchFolder scratch;
  write_out(known.index().fs(), scratch.path());
  bool right = true, known_mix = false;
  for (const Mix mix : kMixes) {
    if (options.mix != "every" && options.mix != mix_name(mix)) continue;
    known_mix = true;
    right &= run_mix(mix, known, scratch.path(), options);
  }
  if (!known_mix) return std::puts("no such mix"), 2;
  std::printf("threads: seed %llu, mix %s, %llu threads, %llu s each: %s\n", number(options.seed),
              options.mix.c_str(), number(options.threads), number(options.seconds),
              right ? "every answer right" : "WRONG");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  cairn::reliability::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--mix") == 0) options.mix = argv[i + 1];
    if (std::strcmp(argv[i], "--threads") == 0) options.threads = value;
    if (std::strcmp(argv[i], "--seconds") == 0) options.seconds = value;
    if (std::strcmp(argv[i], "--seed") == 0) options.seed = value;
  }
  return cairn::reliability::run(options);
}
