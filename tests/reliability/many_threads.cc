// Threads that search one index at random for a while: single searches, batches, fetches, stats and
// asynchronous searches, some of them cancelled, at once. Meant for a TSan build; every answer is
// checked to hold its own query.
//   many_threads [--threads N] [--seconds S] [--seed S]
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "tests/reliability/small_index.h"

namespace cairn::reliability {
namespace {

using Clock = std::chrono::steady_clock;

struct Counts {
  std::atomic<std::uint64_t> searches{0}, fetches{0}, submitted{0}, completed{0}, failures{0};
};

/// The query is a stored row, so the nearest is at distance 0.
bool holds_itself(const Result<SearchResult>& result) {
  return result && !result->neighbors.empty() && result->neighbors[0].distance == 0;
}

/// A few requests at once, some of which are cancelled: before they begin, under way or ended.
void submit_some(const SmallIndex& data, AsyncEngine& engine, math::Rng& rng, Counts& counts) {
  std::vector<AsyncEngine::Ticket> tickets;
  for (std::uint64_t left = 1 + rng.below(8); left > 0; --left) {
    const bool cancels = rng.below(3) == 0;
    const auto ticket =
        engine.submit({.query = data.row(rng.below(data.count()))},
                      [&counts, cancels](const Result<SearchResult>& result) {
                        const bool gave_up = !result && result.error().code == ErrorCode::cancelled;
                        counts.failures += !holds_itself(result) && !(cancels && gave_up);
                        ++counts.completed;
                      });
    counts.submitted += ticket.has_value();
    counts.failures += !ticket && ticket.error().code != ErrorCode::busy;
    if (ticket && cancels) tickets.push_back(*ticket);
  }
  for (const AsyncEngine::Ticket ticket : tickets) engine.cancel(ticket);
}

void work(const SmallIndex& data, const Index& index, AsyncEngine& engine, std::uint64_t seed,
          Clock::time_point end, Counts& counts) {
  math::Rng rng(seed);
  while (Clock::now() < end) {
    const std::uint64_t what = rng.below(10);
    if (what == 0) {
      std::vector<SearchRequest> requests(1 + rng.below(16));
      for (SearchRequest& request : requests) request.query = data.row(rng.below(data.count()));
      for (const auto& result : index.search_batch(requests))
        counts.failures += !holds_itself(result);
      counts.searches += requests.size();
    } else if (what == 1) {
      const std::uint64_t label = rng.below(data.count());
      const auto row = index.get(label);
      const VectorView expected = data.row(label);
      counts.failures += !row || std::memcmp(row->data(), expected.data, expected.bytes()) != 0;
      ++counts.fetches;
    } else if (what < 4) {
      submit_some(data, engine, rng, counts);
    } else {
      SearchRequest request{.query = data.row(rng.below(data.count()))};
      request.list_size = static_cast<std::uint32_t>(10 + rng.below(60));
      counts.failures += !holds_itself(index.search(request));
      ++counts.searches;
    }
    if (rng.below(1000) == 0) index.drop_cache();
    if (rng.below(100) == 0) counts.failures += index.stats().vector_count != data.count();
  }
}

int run(std::uint64_t threads, std::uint64_t seconds, std::uint64_t seed) {
  const SmallIndex data(5000, 32, seed);
  const auto index = Index::open(data.folder(), {.memory_limit_bytes_per_vector = 120});
  if (!index) give_up(index.error());
  Counts counts;
  auto engine = (*index)->start_async({.threads = 2, .queue_max = 64});
  if (!engine) give_up(engine.error());
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  {
    std::vector<std::jthread> workers;
    for (std::uint64_t t = 0; t < threads; ++t)
      workers.emplace_back([&, t] { work(data, **index, **engine, seed * 1000 + t, end, counts); });
  }
  while (counts.completed != counts.submitted) std::this_thread::yield();
  engine->reset();
  std::printf(
      "seed %llu: %llu threads, %llu s: %llu searches, %llu fetches, %llu asynchronous, "
      "%llu failures\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(threads),
      static_cast<unsigned long long>(seconds),
      static_cast<unsigned long long>(counts.searches.load()),
      static_cast<unsigned long long>(counts.fetches.load()),
      static_cast<unsigned long long>(counts.completed.load()),
      static_cast<unsigned long long>(counts.failures.load()));
  return counts.failures == 0 && counts.searches != 0 && counts.completed != 0 ? 0 : 1;
}

}  // namespace
}  // namespace cairn::reliability

int main(int argc, char** argv) {
  std::uint64_t threads = 4, seconds = 2, seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--threads") == 0) threads = value;
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = value;
    if (std::strcmp(argv[i], "--seed") == 0) seed = value;
  }
  return cairn::reliability::run(threads, seconds, seed);
}
