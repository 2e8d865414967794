#include "tools/recall/measure.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "tools/figures.h"

namespace cairn::tools {
namespace {

using Clock = std::chrono::steady_clock;

/// What one thread gathers; merged at the end.
struct Share {
  std::uint64_t hits = 0;
  std::uint64_t reads = 0, cache_hits = 0, rounds = 0, code_distances = 0, exact_distances = 0;
  std::vector<double> latency_us;

  void count(const SearchResult& result, float kth) {
    for (const Neighbor& neighbor : result.neighbors) hits += neighbor.distance <= kth;
    reads += result.counters.reads;
    cache_hits += result.counters.cache_hits;
    rounds += result.counters.rounds;
    code_distances += result.counters.code_distances;
    exact_distances += result.counters.exact_distances;
  }
  void add(const Share& other) {
    hits += other.hits;
    reads += other.reads;
    cache_hits += other.cache_hits;
    rounds += other.rounds;
    code_distances += other.code_distances;
    exact_distances += other.exact_distances;
    latency_us.insert(latency_us.end(), other.latency_us.begin(), other.latency_us.end());
  }
};

class Measurement {
 public:
  Measurement(const Index& index, const VectorBatch& queries, std::span<const float> kth_distance,
              const RecallOptions& options, const std::function<Status(std::uint64_t)>& tick)
      : index_(index), queries_(queries), kth_(kth_distance), options_(options), tick_(tick) {}

  Status run(Share& total) {
    std::vector<Share> shares(options_.threads);
    {
      std::vector<std::jthread> threads;
      for (std::uint32_t t = 1; t < options_.threads; ++t)
        threads.emplace_back([this, t, &shares] { work(t, shares[t]); });
      work(0, shares[0]);
    }
    if (error_) return fail(std::move(*error_));
    for (const Share& share : shares) total.add(share);
    return {};
  }

 private:
  SearchRequest request(std::uint64_t query) const {
    SearchRequest request;
    request.query = queries_.row(query);
    request.k = options_.k;
    request.list_size = options_.list_size;
    return request;
  }

  void work(std::uint32_t thread, Share& share) {
    const std::uint64_t begin = queries_.count * thread / options_.threads;
    const std::uint64_t end = queries_.count * (thread + 1) / options_.threads;
    if (options_.batch_reads != 0)
      work_batch(begin, end, share);
    else
      for (std::uint64_t i = begin; i < end && !stopped_; ++i) work_one(i, thread, share);
  }

  void work_one(std::uint64_t i, std::uint32_t thread, Share& share) {
    const Clock::time_point start = Clock::now();
    const Result<SearchResult> result = index_.search(request(i));
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    if (!result) return stop(result.error());
    share.latency_us.push_back(took.count());
    share.count(*result, kth_[i]);
    const std::uint64_t done = ++done_;
    if (thread == 0 && done % 64 == 0)
      if (auto status = tick_(done); !status) stop(status.error());
  }

  void work_batch(std::uint64_t begin, std::uint64_t end, Share& share) {
    std::vector<SearchRequest> requests;
    for (std::uint64_t i = begin; i < end; ++i) requests.push_back(request(i));
    const auto results = index_.search_batch(requests, {.reads_in_flight = options_.batch_reads});
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) return stop(results[i].error());
      share.count(*results[i], kth_[begin + i]);
    }
  }

  void stop(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
    stopped_ = true;
  }

  const Index& index_;
  VectorBatch queries_;
  std::span<const float> kth_;
  RecallOptions options_;
  const std::function<Status(std::uint64_t)>& tick_;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

Result<RecallRow> measure_recall(const Index& index, const VectorBatch& queries,
                                 std::span<const float> kth_distance, const RecallOptions& options,
                                 const std::function<Status(std::uint64_t done)>& tick) {
  index.drop_cache();
  Share total;
  const double cpu_start = cpu_seconds();
  const Clock::time_point start = Clock::now();
  CAIRN_TRY(Measurement(index, queries, kth_distance, options, tick).run(total));
  const double wall_s = std::chrono::duration<double>(Clock::now() - start).count();
  const double cpu_s = cpu_seconds() - cpu_start;

  const auto n = static_cast<double>(queries.count);
  const auto k =
      static_cast<double>(std::min<std::uint64_t>(options.k, index.stats().vector_count));
  const Latency latency = latency_of(std::move(total.latency_us));
  return RecallRow{.list_size = options.list_size,
                   .recall = static_cast<double>(total.hits) / (n * k),
                   .qps = n / wall_s,
                   .mean_us = latency.mean_us,
                   .p50_us = latency.p50_us,
                   .p99_us = latency.p99_us,
                   .p999_us = latency.p999_us,
                   .reads = static_cast<double>(total.reads) / n,
                   .cache_hits = static_cast<double>(total.cache_hits) / n,
                   .rounds = static_cast<double>(total.rounds) / n,
                   .cpu_us = cpu_s / n * 1e6,
                   .code_distances = static_cast<double>(total.code_distances) / n,
                   .exact_distances = static_cast<double>(total.exact_distances) / n,
                   .index_ram_bytes = index.stats().index_ram_bytes};
}

}  // namespace cairn::tools
