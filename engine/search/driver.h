// The one loop between searches and blocks: it takes searches from a source, drives their machines
// over one block reader with a bound on the reads in flight, and hands back each result. A single
// search, a batch and a thread of asynchronous search differ only in their source.
#pragma once

#include <cairn/index.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/search/query.h"
#include "engine/search/snapshot.h"
#include "io/block_reader.h"

namespace cairn::search {

/// A search that a source hands out. What it points to must live until finish(id).
struct Job {
  const SearchRequest* request = nullptr;
  std::uint64_t id = 0;                          // the source's own
  const std::atomic<bool>* cancelled = nullptr;  // null: cannot be cancelled
};

/// Where searches come from and where results go. Called on the driver's thread.
class JobSource {
 public:
  virtual ~JobSource() = default;
  /// The next search to begin, or nothing when there is none at this time. `idle`: no search is
  /// under way; the source may block, and nothing then ends the drive.
  virtual std::optional<Job> next(bool idle) = 0;
  /// Searches that next() could give at this time.
  virtual std::size_t waiting() const = 0;
  /// Called exactly once for each search that next() gave.
  virtual void finish(std::uint64_t id, Result<SearchResult> result) noexcept = 0;
};

/// Reads and cache hits of an open index, over all its threads.
struct IoTotals {
  std::atomic<std::uint64_t> reads_4k = 0;
  std::atomic<std::uint64_t> cache_hits = 0;
  std::atomic<std::uint64_t> cache_misses = 0;
  void add(std::uint64_t reads, std::uint64_t hits, std::uint64_t misses);
};

/// When a search that waits for blocks ends a round of waiting: blocks from the cache are not
/// waited for.
class Rounds {
 public:
  void wanted() { waiting_ = true; }
  /// A block arrived; whether that ended a round.
  bool ended_by(io::BlockSource source) {
    const bool waited = waiting_;
    waiting_ = waited && source == io::BlockSource::cache;
    return waited && !waiting_;
  }
  void clear() { waiting_ = false; }

 private:
  bool waiting_ = false;  // has wanted blocks since the last round ended
};

/// Not thread-safe; see io::Device for which thread may run it.
class Driver {
 public:
  /// device.depth: blocks that may be outstanding, at most kDepthMax. `snapshot` and `totals` must
  /// outlive the driver. Errors of io::BlockReader::create.
  static Result<std::unique_ptr<Driver>> create(const Snapshot& snapshot, IoTotals& totals,
                                                const io::DeviceOptions& device,
                                                std::string* fallback_reason);
  static constexpr std::uint32_t kDepthMax = 1024;

  /// Drives the searches of `source` until it has no more. Keeps at most `reads_in_flight` (capped
  /// by the depth) blocks outstanding, and begins searches as long as those under way leave room.
  /// `wait_us` bounds each wait for a read, after which the source is asked again; negative: no
  /// bound. A read that fails fails the searches that wanted its block and no other, as does an
  /// allocation that fails for one search; a lost device, or an exception that belongs to no
  /// search, fails those under way, and the device is opened anew.
  void run(JobSource& source, std::uint32_t reads_in_flight, std::int64_t wait_us) noexcept;

  /// Frees the machines beyond the first; one that grew above 256 KiB went with its search.
  void shrink();

  io::Backend backend() const { return backend_; }

 private:
  /// A search under way has at least one block outstanding.
  struct Machine {
    explicit Machine(const QueryLimits& limits) : query(limits) {}
    Query query;
    Job job;
    std::uint32_t outstanding = 0;  // blocks wanted and not arrived
    bool active = false;
    Rounds rounds;
    bool hungry = false;           // would have wanted more blocks than there was room for
    std::unique_ptr<Error> error;  // given up: it ends when nothing is outstanding
  };

  Driver(const Snapshot& snapshot, IoTotals& totals, const io::DeviceOptions& device);
  Status open_reader(std::string* fallback_reason);
  std::size_t active() const { return machines_.size() - idle_.size(); }

  void feed(JobSource& source);
  void start(const Job& job, JobSource& source);
  void advance(std::uint32_t machine, JobSource& source);
  void want(std::uint32_t machine, const JobSource& source);
  std::uint32_t width(const JobSource& source) const;
  void submit();
  void collect(JobSource& source, std::int64_t wait_us);
  void arrive(io::BlockArrival& arrival, JobSource& source);
  Status absorb(Machine& machine, const BlockWant& want, const io::BlockArrival& arrival);
  void end(std::uint32_t machine, JobSource& source);
  void give_back_growth(Machine& machine) const;
  void give_up(const Error& error, JobSource& source) noexcept;
  void publish_totals();

  const Snapshot* snapshot_;
  IoTotals* totals_;
  io::DeviceOptions device_;
  io::Backend backend_ = io::Backend::automatic;
  std::unique_ptr<io::BlockReader> reader_;  // null once the device was lost
  io::BlockCounters published_;
  std::deque<Machine> machines_;
  std::vector<std::uint32_t> idle_;    // machines without a search
  std::vector<std::uint32_t> hungry_;  // may name machines that no longer are
  std::uint32_t room_max_ = 0;
  std::uint32_t room_ = 0;  // blocks that may still be wanted
  std::vector<BlockWant> wants_;
  std::vector<io::BlockRequest> pending_;  // wanted and not yet taken by the reader
  std::vector<io::BlockArrival> arrivals_;
  std::uint64_t cache_misses_ = 0;  // not yet published
  bool suspect_ = false;  // a read was refused: the device may refuse all, and is opened anew
};

}  // namespace cairn::search
