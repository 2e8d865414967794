// Seeded schedules of one thread over a simulated device that fails, delays and reorders: every
// answer is held against exact distances, and each seed gives the same run again, bit for bit.
//   schedules [--first S] [--seeds N] [--replays-every N] [--seed S] [--trace 1]
// --seed: that one alone. --trace: its steps, each with the digest of all that was seen so far.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/reliability/campaign.h"
#include "tests/reliability/schedule.h"

namespace cairn::reliability {
namespace {

constexpr std::uint64_t kWrongShown = 20;

struct Options {
  std::uint64_t first = 1, seeds = 300, replays_every = 1;
  bool trace = false;
};

SimIndexSpec spec_of(DType dtype, Metric metric, std::uint64_t count, std::uint32_t dim) {
  SimIndexSpec spec;
  spec.vectors = {.count = count, .dim = dim, .dtype = dtype, .metric = metric, .queries = 6};
  spec.build.code_bytes = dim / 2;
  spec.build.refine_layers = {dim / 4, dim / 4};
  spec.build.degree = 20;
  spec.build.nav_edges = 16;
  spec.build.calibration_rows = 40;
  return spec;
}

/// Of several metrics and dtypes, of one segment and two, calibrated and not.
std::vector<KnownIndex> schedule_worlds() {
  std::vector<KnownIndex> worlds;
  worlds.emplace_back("u8 l2", spec_of(DType::u8, Metric::l2, 500, 16));
  worlds.emplace_back("f32 cosine", spec_of(DType::f32, Metric::cosine, 400, 12));
  SimIndexSpec halves = spec_of(DType::i8, Metric::ip, 600, 16);
  halves.two_segments = true;
  worlds.emplace_back("i8 ip, two segments", halves);
  SimIndexSpec plain = spec_of(DType::f32, Metric::l2, 400, 8);
  plain.two_segments = true;
  plain.build.calibration_rows = 0;
  worlds.emplace_back("f32 l2, two segments, not calibrated", plain);
  return worlds;
}

int run(const Options& options) {
  const std::vector<KnownIndex> worlds = schedule_worlds();
  const auto start = std::chrono::steady_clock::now();
  ScheduleCounts counts;
  std::uint64_t wrong = 0, replayed = 0, digest = 0;
  for (std::uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
    const ScheduleOutcome outcome = run_schedule(worlds, seed, options.trace);
    counts += outcome.counts;
    digest = digest * 31 + outcome.digest;
    std::string why = outcome.wrong;
    if (seed % options.replays_every == 0) {
      ++replayed;
      const ScheduleOutcome again = run_schedule(worlds, seed, false);
      if (again.digest != outcome.digest) why += " [another run of the seed differs]";
    }
    if (why.empty()) continue;
    if (++wrong <= kWrongShown)
      std::printf("WRONG: seed %llu: %s; see --seed %llu --trace 1\n", number(seed), why.c_str(),
                  number(seed));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "schedules: %llu seeds from %llu, %llu run twice, in %.0f s: %llu steps, %llu answers as "
      "without faults or by all vectors, %llu more plausible, %llu errors, %llu opens and %llu "
      "refused, %llu calibrations published, %llu times verified, %llu reads and %llu hits of the "
      "cache at the end; digest %016llx; %llu wrong\n",
      number(options.seeds), number(options.first), number(replayed), seconds, number(counts.steps),
      number(counts.certain), number(counts.plausible), number(counts.errors), number(counts.opens),
      number(counts.refused_opens), number(counts.published), number(counts.verified),
      number(counts.reads), number(counts.cache_hits), number(digest), number(wrong));
  const bool eventful = counts.errors != 0 && counts.cache_hits != 0 && counts.certain != 0 &&
                        counts.refused_opens != 0 && counts.published != 0 && counts.verified != 0;
  return wrong == 0 && (eventful || options.seeds < 100) ? 0 : 1;
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  cairn::reliability::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--first") options.first = value;
    if (name == "--seeds") options.seeds = value;
    if (name == "--replays-every" && value != 0) options.replays_every = value;
    if (name == "--seed") options.first = value, options.seeds = 1;
    if (name == "--trace") options.trace = value != 0;
  }
  return cairn::reliability::run(options);
}
