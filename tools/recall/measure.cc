#include "tools/recall/measure.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "tools/figures.h"
#include "tools/formats/result_file.h"

namespace cairn::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Queries of one batch: between two of them progress is shown.
constexpr std::uint64_t kSliceQueries = 1024;

/// What one thread gathers; merged at the end.
struct Share {
  std::uint64_t hits = 0;
  std::uint64_t reads = 0, cache_hits = 0, shared = 0, rounds = 0;
  std::uint64_t code_distances = 0, refined_distances = 0, exact_distances = 0;
  std::vector<double> latency_us;

  void count(const SearchResult& result) {
    reads += result.counters.reads;
    cache_hits += result.counters.cache_hits;
    shared += result.counters.shared;
    rounds += result.counters.rounds;
    code_distances += result.counters.code_distances;
    refined_distances += result.counters.refined_distances;
    exact_distances += result.counters.exact_distances;
  }
  void add(const Share& other) {
    hits += other.hits;
    reads += other.reads;
    cache_hits += other.cache_hits;
    shared += other.shared;
    rounds += other.rounds;
    code_distances += other.code_distances;
    refined_distances += other.refined_distances;
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
      try {
        for (std::uint32_t t = 1; t < options_.threads; ++t)
          threads.emplace_back([this, t, &shares] { guarded_work(t, shares[t]); });
      } catch (const std::system_error& error) {
        stop({.code = ErrorCode::io,
              .what = "start " + std::to_string(options_.threads) + " threads",
              .found = error.what()});
      }
      guarded_work(0, shares[0]);
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
    request.slack = options_.slack;
    request.recall = options_.recall;
    return request;
  }

  /// What a thread throws would end the process.
  void guarded_work(std::uint32_t thread, Share& share) {
    try {
      work(thread, share);
    } catch (const std::bad_alloc&) {
      stop({.code = ErrorCode::out_of_memory, .what = "measure recall"});
    }
  }

  void work(std::uint32_t thread, Share& share) {
    const std::uint64_t begin = queries_.count * thread / options_.threads;
    const std::uint64_t end = queries_.count * (thread + 1) / options_.threads;
    if (options_.batch_reads == 0) {
      for (std::uint64_t i = begin; i < end && !stopped_; ++i) work_one(i, thread, share);
      return;
    }
    for (std::uint64_t i = begin; i < end && !stopped_; i += kSliceQueries)
      work_batch(i, std::min(end, i + kSliceQueries), thread, share);
  }

  void work_one(std::uint64_t i, std::uint32_t thread, Share& share) {
    const Clock::time_point start = Clock::now();
    const Result<SearchResult> result = index_.search(request(i));
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    if (!result) return stop(result.error());
    share.latency_us.push_back(took.count());
    count(*result, i, share);
    if (options_.seen) options_.seen(i, *result, took.count());
    const std::uint64_t done = ++done_;
    if (thread == 0 && done % 64 == 0) tick(done);
  }

  void work_batch(std::uint64_t begin, std::uint64_t end, std::uint32_t thread, Share& share) {
    std::vector<SearchRequest> requests;
    for (std::uint64_t i = begin; i < end; ++i) requests.push_back(request(i));
    const auto results = index_.search_batch(requests, {.reads_in_flight = options_.batch_reads});
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) return stop(results[i].error());
      count(*results[i], begin + i, share);
      if (options_.seen) options_.seen(begin + i, *results[i], 0);
    }
    const std::uint64_t done = done_ += end - begin;
    if (thread == 0) tick(done);
  }

  void tick(std::uint64_t done) {
    if (auto status = tick_(done); !status) stop(status.error());
  }

  void count(const SearchResult& result, std::uint64_t query, Share& share) const {
    for (const Neighbor& neighbor : result.neighbors)
      share.hits += counts_as_found(neighbor.distance, kth_[query], metric_, queries_.dtype);
    share.count(result);
  }

  void stop(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
    stopped_ = true;
  }

  const Index& index_;
  Metric metric_ = index_.stats().metric;
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

Status read_truth(const std::string& path, std::uint64_t queries, std::uint32_t k,
                  const TruthRow& take) {
  CAIRN_ASSIGN(const auto reader, formats::ResultReader::open(path));
  if (reader->queries() != queries || reader->k() < k)
    return fail(
        {.code = ErrorCode::invalid_argument,
         .what = "ground truth",
         .file = path,
         .found =
             std::to_string(reader->queries()) + " queries, k = " + std::to_string(reader->k()),
         .expected = std::to_string(queries) + " queries, k at least " + std::to_string(k)});
  std::vector<std::uint32_t> ids(k);
  std::vector<float> distances(k);
  for (std::uint32_t i = 0; i < queries; ++i) {
    CAIRN_TRY(reader->read(i, ids, distances));
    if (!std::isfinite(distances[k - 1]))
      return fail({.code = ErrorCode::corrupt,
                   .what = "use row " + std::to_string(i) + " of",
                   .file = path,
                   .found = "distance " + std::to_string(distances[k - 1]) + " at place " +
                            std::to_string(k),
                   .expected = std::to_string(k) + " true neighbours"});
    take(ids, distances);
  }
  return {};
}

Result<std::vector<float>> read_kth_distances(const std::string& path, std::uint64_t queries,
                                              std::uint32_t k) {
  std::vector<float> kth;
  CAIRN_TRY(read_truth(path, queries, k,
                       [&](std::span<const std::uint32_t>, std::span<const float> distances) {
                         kth.push_back(distances.back());
                       }));
  return kth;
}

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
  const auto mean = [n](std::uint64_t sum) { return static_cast<double>(sum) / n; };
  std::uint32_t list_size = options.list_size;
  std::optional<double> slack = options.slack;
  std::uint32_t edges = index.stats().nav_edges_loaded;
  if (options.recall) {
    CAIRN_ASSIGN(const SearchEffort effort, index.effort(options.k, *options.recall));
    list_size = effort.list_size;
    slack = double{options.batch_reads != 0 ? effort.slack : effort.slack_wide};
    if (!effort.edges) edges = 0;
  }
  return RecallRow{.list_size = list_size,
                   .threads = options.threads,
                   .asked = options.recall,
                   .slack = slack,
                   .edges = edges,
                   .recall = static_cast<double>(total.hits) / (n * k),
                   .qps = n / wall_s,
                   .mean_us = latency.mean_us,
                   .p50_us = latency.p50_us,
                   .p99_us = latency.p99_us,
                   .p999_us = latency.p999_us,
                   .cpu_us = cpu_s / n * 1e6,
                   .reads = mean(total.reads),
                   .rounds = mean(total.rounds),
                   .cache_hits = mean(total.cache_hits),
                   .shared = mean(total.shared),
                   .code_distances = mean(total.code_distances),
                   .refined_distances = mean(total.refined_distances),
                   .exact_distances = mean(total.exact_distances),
                   .index_ram_bytes = index.stats().index_ram_bytes};
}

}  // namespace cairn::tools
