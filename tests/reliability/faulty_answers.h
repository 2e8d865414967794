// What the campaign of faulty_load asks, and whether an answer can be right.
#pragma once

#include <cairn/index.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/math/kmeans.h"

namespace cairn::reliability {

inline constexpr std::uint32_t kCount = 4000;  // vectors, of which row i has label i
inline constexpr std::uint32_t kDim = 64;      // bytes: their distances are exact in a float
inline constexpr std::uint32_t kK = 10;
inline constexpr std::uint32_t kListSizes[] = {20, 60, kCount};

/// A request, and what is known of its answer.
struct Ask {
  SearchRequest request;
  std::size_t query = 0, list = 0;  // places among the queries and in kListSizes
  bool whole = false;               // to the index with all edges in RAM
  bool may_cancel = false;
};

/// Seeded vectors and queries, and the answers of a device without faults.
class Answers {
 public:
  explicit Answers(std::uint64_t seed);
  /// The answers of the index with all edges in RAM. An error of a search is returned.
  Status learn(const Index& whole);

  const std::uint8_t* rows() const { return rows_.data(); }
  std::size_t queries() const { return queries_.size() / kDim; }
  VectorView query(std::size_t i) const { return {&queries_[i * kDim], kDim, DType::u8}; }
  float distance(std::size_t query, Label label) const;

  /// A query at one of the list sizes, without limits.
  Ask plain(std::size_t query, std::size_t list, bool whole) const;
  /// Any query, any list size, and any of the limits of a request.
  Ask draw(bool whole, math::Rng& rng) const;

  /// Why `result` cannot be the answer; empty when it can. Which blocks are read, and so what is
  /// found, depends on the order of arrival only where blocks lead or results end the search.
  std::string wrong(const Ask& ask, const SearchResult& result) const;

 private:
  std::vector<std::uint8_t> rows_, queries_;
  std::vector<std::vector<Neighbor>> learned_;  // by list size and query
};

/// Counts answers and remembers what is wrong with them. Thread-safe.
class Checker {
 public:
  /// A deadline may be passed by `late_max`. `blocks`: of the blocks file.
  Checker(const Answers& answers, std::chrono::microseconds late_max, std::uint64_t blocks)
      : answers_(answers), late_max_(late_max), blocks_(blocks) {}

  using Clock = std::chrono::steady_clock;
  /// The answer to a request that began at `start`, which has come at this moment.
  void check(const Ask& ask, const Result<SearchResult>& result, Clock::time_point start);
  /// A search or batch with a deadline has ended. `without_core`: how long its thread had none.
  void check_time(Clock::time_point deadline, Clock::time_point end,
                  std::chrono::nanoseconds without_core);
  /// A request was not taken.
  void refused(const Error& error);
  void fault(const std::string& what);

  struct Counts {
    std::atomic<std::uint64_t> searches{0}, io_errors{0}, corrupt{0}, cancelled{0}, busy{0};
    std::atomic<std::uint64_t> deadlines{0}, late{0}, faults{0};
    std::atomic<std::uint64_t> ends[5] = {};             // by Stop
    std::atomic<std::uint64_t> reads{0}, cache_hits{0};  // as the answers say
    std::atomic<std::int64_t> latency_max_us{0}, late_max_us{0};
  };
  const Counts& counts() const { return counts_; }

 private:
  void check_error(const Ask& ask, const Error& error);

  const Answers& answers_;
  std::chrono::microseconds late_max_;
  std::uint64_t blocks_;
  Counts counts_;
  std::mutex mutex_;  // of standard output
};

}  // namespace cairn::reliability
