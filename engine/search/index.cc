#include <cairn/examine.h>
#include <cairn/index.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "engine/guarded.h"
#include "engine/math/distance.h"
#include "engine/search/async_engine.h"
#include "engine/search/context_pool.h"
#include "engine/search/examine.h"
#include "engine/search/explain.h"
#include "engine/search/inspect.h"
#include "engine/search/open_index.h"
#include "engine/search/snapshot.h"
#include "engine/search/vector_scan.h"
#include "engine/search/verify.h"

namespace cairn {
namespace search {
namespace {

/// A span of requests, each answered in its place.
class RequestSource final : public JobSource {
 public:
  RequestSource(std::span<const SearchRequest> requests, const Snapshot& snapshot,
                std::vector<Result<SearchResult>>& results)
      : requests_(requests), snapshot_(snapshot), results_(results) {}

  std::optional<Job> next(bool) override {
    while (next_ < requests_.size()) {
      const std::size_t at = next_++;
      Status good = guarded("search", [&] { return snapshot_.check(requests_[at]); });
      if (good) return Job{.request = &requests_[at], .id = at};
      results_[at] = fail(std::move(good).error());
    }
    return std::nullopt;
  }
  std::size_t waiting() const override { return requests_.size() - next_; }
  void finish(std::uint64_t id, Result<SearchResult> result) noexcept override {
    results_[id] = std::move(result);
  }

 private:
  std::span<const SearchRequest> requests_;
  const Snapshot& snapshot_;
  std::vector<Result<SearchResult>>& results_;
  std::size_t next_ = 0;
};

class OpenIndex final : public Index {
 public:
  OpenIndex(std::unique_ptr<Snapshot> snapshot, const OpenOptions& options)
      : snapshot_(std::move(snapshot)),
        direct_(options.direct),
        pool_(*snapshot_, totals_, snapshot_->device(), options.log) {}

  /// Makes the first driver: an I/O backend that does not work is an error of open().
  Status start() {
    CAIRN_ASSIGN(const auto driver, pool_.take());
    backend_ = io::backend_name(driver->backend());
    return {};
  }

  Result<SearchResult> search(const SearchRequest& request) const override {
    auto results = search_batch({&request, 1}, {.reads_in_flight = Driver::kDepthMax});
    if (!results.empty()) return std::move(results[0]);
    return no_memory();
  }

  std::vector<Result<SearchResult>> search_batch(std::span<const SearchRequest> requests,
                                                 const BatchOptions& options) const override {
    std::vector<Result<SearchResult>> results;
    const Status done = guarded("search", [&]() -> Status {
      results.resize(requests.size());
      CAIRN_ASSIGN(const auto driver, pool_.take());
      RequestSource source(requests, *snapshot_, results);
      driver->run(source, options.reads_in_flight, -1);
      return {};
    });
    if (done) return results;
    for (auto& result : results)
      result = guarded("search", [&]() -> Result<SearchResult> { return fail(done.error()); });
    return results;
  }

  Result<std::vector<std::byte>> get(Label label) const override {
    return guarded("get", [&]() -> Result<std::vector<std::byte>> {
      for (std::uint32_t segment = 0; segment < snapshot_->segments().size(); ++segment) {
        CAIRN_ASSIGN(const auto slot, snapshot_->resident(segment).labels->find(label));
        if (slot) return vector_at(segment, *slot, label);
      }
      return fail({.code = ErrorCode::not_found, .what = "label " + std::to_string(label)});
    });
  }

  Result<std::unique_ptr<VectorScan>> scan() const override {
    return guarded("scan", [&] { return scan_vectors(*snapshot_); });
  }

  Result<VerifyReport> verify(const VerifyOptions& options) const override {
    return guarded("verify", [&] { return verify_folder(snapshot_->folder(), direct_, options); });
  }
  Result<StructureReport> inspect(
      const std::function<void(std::uint64_t, std::uint64_t)>& progress) const override {
    return guarded("inspect",
                   [&] { return inspect_folder(snapshot_->folder(), direct_, progress); });
  }

  Result<Explanation> explain(const SearchRequest& request) const override {
    return guarded("explain", [&]() -> Result<Explanation> {
      CAIRN_TRY(snapshot_->check(request));
      if (request.deadline)
        return fail(ErrorCode::invalid_argument, "explain: a deadline, which telling would miss");
      return explain_search(*snapshot_, request, snapshot_->device(), totals_);
    });
  }

  Result<SearchEffort> effort(std::uint32_t k, double recall) const override {
    return guarded("effort", [&] { return snapshot_->effort(k, recall); });
  }

  Result<Examination> examine(const ExamineOptions& options) const override {
    return guarded("examine", [&] { return examine_index(*snapshot_, direct_, options); });
  }

  IndexStats stats() const override {
    IndexStats stats = snapshot_->stats();
    stats.block_reads = totals_.reads_4k.load(std::memory_order_relaxed);
    stats.cache_hits = totals_.cache_hits.load(std::memory_order_relaxed);
    stats.cache_misses = totals_.cache_misses.load(std::memory_order_relaxed);
    stats.io_backend = backend_;
    stats.calibrated = !snapshot_->efforts().empty();
    stats.kernel_path = math::kernel_path();
    return stats;
  }

  void drop_cache() const override {
    if (snapshot_->cache() != nullptr) snapshot_->cache()->clear();
  }

  Result<std::unique_ptr<AsyncEngine>> start_async(const AsyncOptions& options) const override {
    return start_async_engine(pool_, *snapshot_, options);
  }

 private:
  Result<std::vector<std::byte>> vector_at(std::uint32_t segment, std::uint32_t slot,
                                           Label label) const {
    const layout::BlockShape& shape = snapshot_->resident(segment).shape;
    CAIRN_ASSIGN(const OwnBlock block, snapshot_->read_block(segment, slot));
    const std::uint32_t place = slot % shape.slots;
    if (!block.view.occupied(place) || block.view.label(place) != label)
      return fail(snapshot_->in_block(
          {.code = ErrorCode::corrupt,
           .what = "the slot that the labels file gives to label " + std::to_string(label),
           .found = "another vector"},
          segment, slot));
    const std::byte* row = block.view.vector(place);
    return std::vector<std::byte>(row, row + shape.row_bytes);
  }

  std::unique_ptr<Snapshot> snapshot_;
  bool direct_;
  mutable IoTotals totals_;
  mutable ContextPool pool_;
  std::string backend_;
};

Status check_options(const OpenOptions& options) {
  const auto bad = [](std::string what, std::string found, std::string expected) {
    return fail({.code = ErrorCode::invalid_argument,
                 .what = std::move(what),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  };
  if (options.io_depth < 1 || options.io_depth > Driver::kDepthMax)
    return bad("io_depth", std::to_string(options.io_depth),
               "1 to " + std::to_string(Driver::kDepthMax));
  if (static_cast<std::size_t>(options.io) > static_cast<std::size_t>(IoBackend::sync))
    return bad("io", std::to_string(static_cast<int>(options.io)), "a back end");
  if (options.memory_limit_bytes && options.memory_limit_bytes_per_vector)
    return bad("memory limit", "bytes and bytes per vector", "one of them");
  return {};
}

}  // namespace

Result<std::unique_ptr<Index>> open_index(io::Fs& fs, const std::string& folder,
                                          const OpenOptions& options,
                                          std::optional<SegmentPlan> loaded) {
  CAIRN_TRY(check_options(options));
  return guarded("open index", [&]() -> Result<std::unique_ptr<Index>> {
    CAIRN_ASSIGN(auto snapshot, Snapshot::open(fs, folder, options, true, loaded));
    auto index = std::make_unique<OpenIndex>(std::move(snapshot), options);
    CAIRN_TRY(index->start());
    return index;
  });
}

}  // namespace search

std::string_view stop_name(Stop stop) {
  switch (stop) {
    case Stop::list_exhausted:
      return "list_exhausted";
    case Stop::exhausted:
      return "exhausted";
    case Stop::bound:
      return "bound";
    case Stop::reads_max:
      return "reads_max";
    case Stop::deadline:
      return "deadline";
  }
  return "unknown";
}

SearchCounters& SearchCounters::operator+=(const SearchCounters& other) {
  reads += other.reads;
  cache_hits += other.cache_hits;
  shared += other.shared;
  rounds += other.rounds;
  code_distances += other.code_distances;
  refined_distances += other.refined_distances;
  exact_distances += other.exact_distances;
  expanded += other.expanded;
  return *this;
}

Result<std::unique_ptr<Index>> Index::open(const std::string& folder, const OpenOptions& options) {
  return search::open_index(io::posix_fs(), folder, options);
}

}  // namespace cairn
