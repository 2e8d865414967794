// Full load on a device of which one read in a hundred fails and one in a hundred is delayed:
// single searches, batches and asynchronous searches at once, with deadlines, read limits, slack
// and cancellation. Every search is answered right, or fails with an error that names file and
// block, in time; afterwards every buffer is back and the counters add up.
//   faulty_load [--threads N] [--seconds S] [--seed S] [--grace-ms MS]
// No read of a lone search begins after its deadline, but where its thread loses its core between
// looking at the clock and reading; in a batch others are begun between the two. Grace: what the
// end of a search may pass its deadline by, beside the delay of a read and the time that its thread
// had no core; other threads may lack one too, while they hold what it waits for.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <latch>
#include <optional>
#include <thread>
#include <utility>

#include "engine/build/builder_fs.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/faulty_answers.h"
#include "tests/reliability/watched_fs.h"
#include "tests/sim/sim_fs.h"

namespace cairn::reliability {
namespace {

constexpr char kFolder[] = "index";
constexpr std::uint32_t kDepth = 32;
constexpr std::uint32_t kEngineThreads = 2;
constexpr std::uint32_t kDelayUs = 3000;
constexpr std::uint32_t kCacheBytes = 128u << 10;

struct Options {
  std::uint64_t threads = 3, seconds = 3, seed = 1, grace_ms = 1000;
};

/// An index that is searched, on a watched file system of its own over the same disk.
struct Target {
  explicit Target(io::Fs& disk) : fs(disk) {}
  void open(const OpenOptions& options) {
    auto opened = search::open_index(fs, kFolder, options);
    if (!opened) give_up(opened.error());
    index = std::move(*opened);
    auto started =
        index->start_async({.threads = kEngineThreads, .queue_max = 16, .reads_in_flight = kDepth});
    if (!started) give_up(started.error());
    engine = std::move(*started);
    reads_before = fs.reads_4k();
  }

  WatchedFs fs;
  std::unique_ptr<Index> index;
  std::unique_ptr<AsyncEngine> engine;
  std::uint64_t reads_before = 0;
};

void build_on(io::Fs& fs, const Answers& answers, std::uint64_t seed) {
  auto builder =
      build::create_builder(fs, kFolder, kDim, DType::u8,
                            {.degree = 24, .threads = 1, .seed = seed, .calibration_rows = 0});
  if (!builder) give_up(builder.error());
  if (auto added = (*builder)->add({answers.rows(), kCount, kDim, DType::u8}); !added)
    give_up(added.error());
  if (auto report = (*builder)->finish(); !report) give_up(report.error());
}

/// One in a hundred reads fails - at once, after a repetition, or unnoticed but by its checksum -
/// and one in a hundred is delayed.
void add_faults(sim::FaultPlan& plan) {
  using Kind = sim::ReadFault::Kind;
  const auto always = [](double probability) {
    return sim::When{.path_contains = ".blocks", .probability = probability, .sticky = true};
  };
  plan.add(sim::ReadFault{.when = always(0.004), .kind = Kind::error, .error = EIO});
  plan.add(sim::ReadFault{.when = always(0.003), .kind = Kind::error, .error = ENODATA});
  plan.add(sim::ReadFault{.when = always(0.003), .kind = Kind::bit_flip});
  plan.add(sim::ReadFault{.when = always(0.01), .kind = Kind::delayed, .delay_us = kDelayUs});
}

class Load {
 public:
  Load(const Answers& answers, Target& whole, Target& lean, Checker& checker,
       const Options& options)
      : answers_(answers), targets_{&whole, &lean}, checker_(checker), options_(options) {}

  void run() {
    const Clock::time_point end = Clock::now() + std::chrono::seconds(options_.seconds);
    std::vector<std::jthread> workers;
    for (std::uint64_t t = 0; t < options_.threads; ++t)
      workers.emplace_back([this, end, seed = options_.seed * 1000 + t] {
        math::Rng rng(seed);
        while (Clock::now() < end) step(rng);
      });
    workers.clear();
    while (completed_ != submitted_) std::this_thread::yield();
  }

  /// Searches alone that had a deadline.
  std::uint64_t lone_deadlines() const { return lone_deadlines_; }

 private:
  /// What `search` gives, on this thread, and whether it kept the deadline, if there is one.
  template <class Search>
  auto timed(std::optional<Clock::time_point> deadline, const Search& search) {
    const auto without_core = time_without_core();
    auto result = search();
    if (deadline) checker_.check_time(*deadline, Clock::now(), time_without_core() - without_core);
    return result;
  }

  void step(math::Rng& rng) {
    const bool whole = rng.below(2) == 0;
    Target& target = *targets_[whole ? 0 : 1];
    const std::uint64_t what = rng.below(4);
    if (what == 0) return batch(target, whole, rng);
    if (what == 1) return submit_some(target, whole, rng);
    const Ask ask = answers_.draw(whole, rng);
    const Clock::time_point start = Clock::now();
    WatchedFs::set_deadline(ask.request.deadline);
    const auto result =
        timed(ask.request.deadline, [&] { return target.index->search(ask.request); });
    WatchedFs::set_deadline({});
    checker_.check(ask, result, start);
    lone_deadlines_ += ask.request.deadline.has_value();
    if (rng.below(500) == 0) target.index->drop_cache();
  }

  /// A batch of which every search has a deadline must end by the last of them.
  void batch(Target& target, bool whole, math::Rng& rng) {
    std::vector<Ask> asks(1 + rng.below(40));
    const bool all = rng.below(2) == 0;
    std::optional<Clock::time_point> last;
    for (Ask& ask : asks) {
      ask = answers_.draw(whole, rng);
      if (!all) continue;
      ask.request.deadline = Clock::now() + std::chrono::microseconds(rng.below(8000));
      last = std::max(last, ask.request.deadline);
    }
    std::vector<SearchRequest> requests;
    for (const Ask& ask : asks) requests.push_back(ask.request);
    const Clock::time_point start = Clock::now();
    const auto in_flight = static_cast<std::uint32_t>(1 + rng.below(kDepth));
    const auto results = timed(
        last, [&] { return target.index->search_batch(requests, {.reads_in_flight = in_flight}); });
    for (std::size_t i = 0; i < asks.size(); ++i) checker_.check(asks[i], results[i], start);
  }

  /// Some of them are cancelled: before they begin, under way or ended.
  void submit_some(Target& target, bool whole, math::Rng& rng) {
    std::vector<AsyncEngine::Ticket> tickets;
    for (std::uint64_t left = 1 + rng.below(8); left > 0; --left) {
      Ask ask = answers_.draw(whole, rng);
      ask.may_cancel = rng.below(3) == 0;
      const auto completion = [this, ask,
                               start = Clock::now()](const Result<SearchResult>& result) {
        checker_.check(ask, result, start);
        ++completed_;
      };
      const auto ticket = target.engine->submit(ask.request, completion);
      submitted_ += ticket.has_value();
      if (!ticket) checker_.refused(ticket.error());
      if (ticket && ask.may_cancel) tickets.push_back(*ticket);
    }
    for (const AsyncEngine::Ticket ticket : tickets) target.engine->cancel(ticket);
  }

  const Answers& answers_;
  Target* targets_[2];
  Checker& checker_;
  Options options_;
  std::atomic<std::uint64_t> submitted_{0}, completed_{0}, lone_deadlines_{0};
};

/// Searches of every block, one on each thread that can search and none ended before all have
/// begun, so that each has a device of its own; `engine`: on the threads of asynchronous search.
void search_everywhere(const Answers& answers, const Target& target, bool engine,
                       std::uint64_t threads, Checker& checker) {
  std::latch begun(static_cast<std::ptrdiff_t>(threads));
  std::atomic<std::uint64_t> ended{0};
  std::vector<Ask> asks(threads, answers.plain(0, std::size(kListSizes) - 1, true));
  std::vector<std::jthread> callers;
  for (Ask& ask : asks) {
    ask.request.allow = [&begun, first = true](Label) mutable {
      if (std::exchange(first, false)) begun.arrive_and_wait();
      return true;
    };
    const auto done = [&, start = Clock::now()](const Result<SearchResult>& result) {
      checker.check(ask, result, start);
      ++ended;
    };
    if (engine) {
      if (auto ticket = target.engine->submit(ask.request, done); !ticket) give_up(ticket.error());
    } else {
      callers.emplace_back([&ask, &target, done] { done(target.index->search(ask.request)); });
    }
  }
  while (ended != threads) std::this_thread::yield();
}

/// After the faults: every device has once more as many reads under way as its reader has buffers,
/// every answer is right, and what answers, index and devices count is the same.
void check_healed(const Answers& answers, Target& target, bool whole, std::uint64_t threads,
                  std::chrono::microseconds late_max, std::uint64_t blocks, Checker& load) {
  Checker checker(answers, late_max, blocks);
  const IndexStats before = target.index->stats();
  if (target.fs.reads_4k() - target.reads_before != before.block_reads)
    load.fault("devices and index count different reads");
  target.fs.forget_most();
  // A block that another thread has brought into the cache costs a thread no read: try again.
  for (int attempt = 0; attempt < 20 && target.fs.short_of_depth() != 0; ++attempt) {
    target.index->drop_cache();
    search_everywhere(answers, target, false, threads, checker);
    target.index->drop_cache();
    search_everywhere(answers, target, true, kEngineThreads, checker);
  }
  if (target.fs.short_of_depth() != 0)
    load.fault(std::to_string(target.fs.short_of_depth()) + " devices short of their depth");
  for (std::size_t list = 0; list < std::size(kListSizes); ++list)
    for (std::size_t i = 0; i < answers.queries(); ++i) {
      const Ask ask = answers.plain(i, list, whole);
      checker.check(ask, target.index->search(ask.request), Clock::now());
    }
  const Checker::Counts& counts = checker.counts();
  if (counts.io_errors + counts.corrupt + counts.faults != 0) load.fault("errors without faults");
  const IndexStats after = target.index->stats();
  if (counts.reads != after.block_reads - before.block_reads)
    load.fault("answers and index count different reads");
  if (counts.cache_hits != after.cache_hits - before.cache_hits)
    load.fault("answers and index count different cache hits");
  target.engine.reset();
  target.index.reset();
  if (target.fs.open_devices() != 0) load.fault("devices outlive their index");
}

/// Everything that was to happen did.
bool eventful(const Checker::Counts& counts) {
  const auto ended = [&](Stop stop) { return counts.ends[static_cast<std::size_t>(stop)] != 0; };
  return ended(Stop::list_exhausted) && ended(Stop::bound) && ended(Stop::reads_max) &&
         ended(Stop::deadline) && counts.io_errors != 0 && counts.corrupt != 0 &&
         counts.cancelled != 0;
}

void report(const Options& options, const Checker::Counts& counts, const Target& whole,
            const Target& lean) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const auto ended = [&](Stop stop) { return number(counts.ends[static_cast<std::size_t>(stop)]); };
  std::printf(
      "seed %llu: %llu threads, %llu s: %llu searches, %llu reads of 4 KiB, %llu of them failed; "
      "%llu io errors, %llu corrupt, %llu cancelled, %llu refused as busy; ended by list %llu, "
      "bound %llu, reads_max %llu, deadline %llu; longest %.1f ms\n",
      number(options.seed), number(options.threads), number(options.seconds),
      number(counts.searches), number(whole.fs.reads_4k() + lean.fs.reads_4k()),
      number(whole.fs.failed_reads() + lean.fs.failed_reads()), number(counts.io_errors),
      number(counts.corrupt), number(counts.cancelled), number(counts.busy),
      ended(Stop::list_exhausted), ended(Stop::bound), ended(Stop::reads_max),
      ended(Stop::deadline), static_cast<double>(counts.latency_max_us) / 1e3);
  std::printf(
      "%llu deadlines: lone searches read on after them %llu times; passed by %.1f ms at most, by "
      "more than a "
      "delay "
      "of %.1f ms and %llu ms of grace %llu times; %llu wrong\n",
      number(counts.deadlines), number(whole.fs.begun_late() + lean.fs.begun_late()),
      static_cast<double>(counts.late_max_us) / 1e3, kDelayUs / 1e3, number(options.grace_ms),
      number(counts.late), number(counts.faults));
}

int run(const Options& options) {
  const auto late_max =
      std::chrono::microseconds(kDelayUs) + std::chrono::milliseconds(options.grace_ms);
  sim::SimFs disk(options.seed);
  Answers answers(options.seed);
  build_on(disk, answers, options.seed);
  const std::uint64_t smallest = smallest_limit(disk, kFolder);
  Target whole(disk), lean(disk);
  // Room for a cache of some blocks beside all that can be loaded.
  {
    const auto all = search::open_index(disk, kFolder, {});
    if (!all) give_up(all.error());
    if (auto learned = answers.learn(**all); !learned) give_up(learned.error());
    whole.open(
        {.memory_limit_bytes = (*all)->stats().index_ram_bytes + kCacheBytes, .io_depth = kDepth});
  }
  lean.open({.memory_limit_bytes = smallest, .io_depth = kDepth});
  if (whole.index->stats().cache_ram_bytes == 0 || lean.index->stats().nav_edges_loaded != 0)
    return std::puts("the indexes are not as they should be"), 1;
  const IndexStats stats = lean.index->stats();
  const std::uint64_t blocks = stats.slot_count / stats.slots_per_block;
  Checker checker(answers, late_max, blocks);
  add_faults(disk.faults());
  Load load(answers, whole, lean, checker, options);
  load.run();
  disk.faults().clear();
  const std::uint64_t answered_reads = checker.counts().reads;
  if (answered_reads > whole.index->stats().block_reads + lean.index->stats().block_reads)
    checker.fault("answers count more reads than the indexes");
  check_healed(answers, whole, true, options.threads, late_max, blocks, checker);
  check_healed(answers, lean, false, options.threads, late_max, blocks, checker);
  report(options, checker.counts(), whole, lean);
  const Checker::Counts& counts = checker.counts();
  const std::uint64_t begun_late = whole.fs.begun_late() + lean.fs.begun_late();
  const bool in_time = counts.late == 0 && begun_late <= 2 + load.lone_deadlines() / 100;
  return counts.faults == 0 && in_time && eventful(counts) ? 0 : 1;
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  cairn::reliability::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--threads") == 0) options.threads = value;
    if (std::strcmp(argv[i], "--seconds") == 0) options.seconds = value;
    if (std::strcmp(argv[i], "--seed") == 0) options.seed = value;
    if (std::strcmp(argv[i], "--grace-ms") == 0) options.grace_ms = value;
  }
  return cairn::reliability::run(options);
}
