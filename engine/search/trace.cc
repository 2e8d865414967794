#include "engine/search/trace.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "engine/guarded.h"
#include "engine/workers.h"

namespace cairn::search {
namespace {

constexpr std::size_t kLanesMax = 32;  // searches side by side, so that the device is busy
constexpr std::size_t kBufferBytesMax = 16u << 20;
constexpr std::uint32_t kDepth = 64;
constexpr std::size_t kQueriesMin = 64;  // of a task, which opens a device

/// One search and its blocks, in the order in which they were wanted.
struct Lane {
  struct Held {
    BlockWant want;
    bool arrived = false;
    io::BlockArrival arrival = {};
  };

  explicit Lane(const QueryLimits& limits) : query(limits) {}

  Query query;
  SearchRequest request;
  std::deque<Held> held;
  std::uint64_t first_held = 0;  // number of held.front()
  Trace* trace = nullptr;        // null: idle
  float kth = 0;
  float needed = 0;    // most so far
  bool ended = false;  // wants no more

  /// What the next block needs is more than anything before, or as much.
  void note_needed() {
    needed = std::max(needed, query.slack_needed());
    trace->needed.push_back(needed);
  }
};

/// The searches of one thread.
class Tracer {
 public:
  Tracer(const Snapshot& snapshot, const TraceOptions& options)
      : snapshot_(snapshot),
        options_(options),
        outstanding_max_(std::max(options.k, options.width)) {}

  /// For so many searches, no fewer than one: buffers that none will use are not pinned.
  Status open(std::size_t searches) {
    const std::size_t affordable = kBufferBytesMax / snapshot_.block_bytes_max();
    const std::size_t lanes =
        std::clamp<std::size_t>(affordable / outstanding_max_, 1, std::min(kLanesMax, searches));
    for (std::size_t i = 0; i < lanes; ++i) lanes_.emplace_back(snapshot_.limits());
    const auto buffers = static_cast<std::uint32_t>(lanes * outstanding_max_);
    arrivals_.resize(buffers);
    io::DeviceOptions device = snapshot_.device();
    device.depth = kDepth;
    CAIRN_ASSIGN(reader_, io::BlockReader::create(snapshot_.folder().fs(), snapshot_.block_files(),
                                                  {.buffers = buffers, .device = device},
                                                  options_.cache, nullptr));
    return {};
  }

  Status run(std::span<const TracedQuery> queries, std::span<const float> kth,
             std::span<Trace> traces) {
    std::size_t next = 0;
    for (;;) {
      bool active = false;
      for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = lanes_[i];
        while (lane.trace == nullptr && next < queries.size()) {
          begin(lane, queries[next], kth[next], traces[next]);
          ++next;
          want(i);
        }
        active |= lane.trace != nullptr;
      }
      if (!active) return {};
      CAIRN_TRY(read());
      for (std::size_t i = 0; i < lanes_.size(); ++i) CAIRN_TRY(absorb(i));
    }
  }

 private:
  void begin(Lane& lane, const TracedQuery& query, float kth, Trace& trace) {
    lane.request = {.query = query.vector,
                    .k = options_.k,
                    .list_size = options_.list_size,
                    .slack = options_.slack};
    lane.query.start(lane.request, snapshot_.segments(), query.hidden);
    lane.trace = &trace;
    lane.trace->found.push_back(0);
    lane.trace->codes.push_back(lane.query.counters().code_distances);
    lane.kth = kth;
    lane.needed = std::numeric_limits<float>::lowest();
    lane.ended = false;
  }

  /// Wants what may be wanted now, and no more than the lane has buffers for: nothing else bounds a
  /// search of everything. A search that holds nothing then is done.
  void want(std::size_t at) {
    Lane& lane = lanes_[at];
    BlockWant block;
    while (!lane.ended && lane.held.size() < outstanding_max_ &&
           lane.query.wants({&block, 1}, options_.width) == 1) {
      lane.note_needed();
      if (lane.needed > options_.slack_max) {
        lane.trace->needed.pop_back();
        lane.ended = true;
        break;
      }
      const std::uint64_t number = lane.first_held + lane.held.size();
      lane.held.push_back({.want = block});
      pending_.push_back(snapshot_.locate(block.segment, block.first_slot,
                                          at << kNumberBits | (number & kNumberMask)));
    }
    if (lane.held.empty()) lane.trace = nullptr;
  }

  /// Reads all that is wanted. Every lane can hold all that it may want at once, so that there is
  /// always a buffer in the end.
  Status read() {
    while (!pending_.empty() || reader_->outstanding() > 0) {
      const std::uint32_t taken = reader_->request(pending_);
      pending_.erase(pending_.begin(), pending_.begin() + taken);
      if (reader_->outstanding() == 0)
        return fail({.code = ErrorCode::over_limit,
                     .what = "trace searches",
                     .found = std::to_string(pending_.size()) + " more blocks wanted",
                     .expected = "no more than buffers: " + std::to_string(arrivals_.size())});
      CAIRN_ASSIGN(const std::uint32_t count, reader_->collect(arrivals_, 1, -1));
      for (io::BlockArrival& arrival : std::span(arrivals_).first(count)) {
        if (arrival.error) return fail(std::move(*arrival.error));
        Lane& lane = lanes_[arrival.token >> kNumberBits];
        const std::uint64_t place = ((arrival.token & kNumberMask) - lane.first_held) & kNumberMask;
        lane.held[place].arrived = true;
        lane.held[place].arrival = std::exchange(arrival, {});
      }
    }
    return {};
  }

  Status absorb(std::size_t at) {
    Lane& lane = lanes_[at];
    if (lane.trace == nullptr) return {};
    const Lane::Held& first = lane.held.front();
    const BlockWant& block = first.want;
    Status done = lane.query.absorb(block, first.arrival.block.bytes(), first.arrival.source);
    if (!done)
      return fail(snapshot_.in_block(std::move(done).error(), block.segment, block.first_slot));
    lane.held.pop_front();
    ++lane.first_held;
    lane.trace->found.push_back(std::min(options_.k, lane.query.found_within(lane.kth)));
    lane.trace->codes.push_back(lane.query.counters().code_distances);
    want(at);
    return {};
  }

  static constexpr int kNumberBits = 48;
  static constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kNumberBits) - 1;

  const Snapshot& snapshot_;
  TraceOptions options_;
  std::size_t outstanding_max_;
  std::unique_ptr<io::BlockReader> reader_;
  std::deque<Lane> lanes_;  // blocks go back before the reader goes
  std::vector<io::BlockRequest> pending_;
  std::vector<io::BlockArrival> arrivals_;
};

}  // namespace

Status trace_searches(const Snapshot& snapshot, std::span<const TracedQuery> queries,
                      std::span<const float> kth, const TraceOptions& options,
                      std::span<Trace> traces, const std::function<bool()>& tick) {
  std::mutex mutex;
  Status worst;
  std::atomic<bool> failed{false};
  const std::size_t tasks = std::size_t{2} * options.threads;
  build::Workers(options.threads)
      .each(queries.size(), std::max(kQueriesMin, queries.size() / tasks),
            [&](std::size_t begin, std::size_t end, std::uint32_t worker) {
              if (failed) return;
              Status done = guarded("trace searches", [&]() -> Status {
                if (worker == 0 && tick && !tick())
                  return fail(ErrorCode::cancelled, "calibration");
                Tracer tracer(snapshot, options);
                CAIRN_TRY(tracer.open(end - begin));
                return tracer.run(queries.subspan(begin, end - begin),
                                  kth.subspan(begin, end - begin),
                                  traces.subspan(begin, end - begin));
              });
              if (done) return;
              const std::lock_guard lock(mutex);
              if (!failed.exchange(true)) worst = std::move(done);
            });
  return worst;
}

}  // namespace cairn::search
