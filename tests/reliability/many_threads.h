// What a thread of the campaign of many_threads does.
#pragma once

#include <cairn/index.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/reliability/campaign.h"
#include "tests/reliability/known_index.h"

namespace cairn::reliability {

enum class Mix : std::uint8_t { search, batch, async, open, verify, all };
inline constexpr Mix kMixes[] = {Mix::search, Mix::batch,  Mix::async,
                                 Mix::open,   Mix::verify, Mix::all};
const char* mix_name(Mix mix);

struct ThreadCounts {
  std::atomic<std::uint64_t> searches{0}, batched{0}, fetches{0}, submitted{0}, completed{0},
      cancelled{0}, opens{0}, published{0}, passes{0}, wrong{0};
  /// Asynchronous requests that were not given up.
  std::uint64_t answered() const { return completed - cancelled; }
  /// What the mix is there for.
  std::uint64_t of(Mix mix) const;
};

/// What all threads use at once.
struct Shared {
  const KnownIndex& known;
  const std::string& folder;
  const Index& whole;  // with a small cache
  const Index& lean;
  AsyncEngine& engine;  // of `whole`
};

class Worker {
 public:
  Worker(const Shared& shared, ThreadCounts& counts, std::uint64_t thread, std::uint64_t seed)
      : shared_(shared), counts_(counts), thread_(thread), rng_(seed) {}

  void step(Mix mix);

 private:
  struct Target {
    const Index& index;
    Held held;
  };
  Target pick();
  Question draw(Held held);
  void search(const Target& target);
  void batch(const Target& target);
  void submit(AsyncEngine& engine, bool ends);
  void end_engine();
  void open();
  void publish();
  void pass(const Target& target);
  void scan(const Index& index);
  void examine(const Index& index);
  void fetch(const Index& index);
  void check(const Question& question, const Result<SearchResult>& result);

  const Shared& shared_;
  ThreadCounts& counts_;
  std::uint64_t thread_;
  math::Rng rng_;
};

}  // namespace cairn::reliability
