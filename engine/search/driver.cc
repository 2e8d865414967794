#include "engine/search/driver.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/guarded.h"

namespace cairn::search {
namespace {

constexpr std::size_t kMachineBytesMax = 256u << 10;
/// Reads that are started together, where that is no more than a quarter of what may be under way:
/// the device works while searches compute. See DESIGN.md.
constexpr std::uint32_t kStartAtOnceMax = 8;

/// A request's token says which machine wants which block: no table of what is outstanding.
constexpr std::uint32_t kSegmentBits = 20;
static_assert(Driver::kDepthMax <= (1u << (32 - kSegmentBits)));
static_assert(layout::kManifestBytesMax / sizeof(layout::SegmentRecord) <= (1u << kSegmentBits));

std::uint64_t token_of(std::uint32_t machine, const BlockWant& want) {
  return std::uint64_t{machine << kSegmentBits | want.segment} << 32 | want.first_slot;
}
std::uint32_t machine_of(std::uint64_t token) {
  return static_cast<std::uint32_t>(token >> (32 + kSegmentBits));
}
BlockWant want_of(std::uint64_t token) {
  return {.segment = static_cast<std::uint32_t>(token >> 32) & ((1u << kSegmentBits) - 1),
          .first_slot = static_cast<std::uint32_t>(token)};
}

bool is_cancelled(const Job& job) {
  return job.cancelled != nullptr && job.cancelled->load(std::memory_order_relaxed);
}
Error cancelled() { return {.code = ErrorCode::cancelled, .what = "search"}; }

std::uint64_t since(std::uint64_t now, std::uint64_t& before) {
  return now - std::exchange(before, now);
}

}  // namespace

void IoTotals::add(std::uint64_t reads, std::uint64_t hits, std::uint64_t misses) {
  const auto count = [](std::atomic<std::uint64_t>& total, std::uint64_t more) {
    if (more != 0) total.fetch_add(more, std::memory_order_relaxed);
  };
  count(reads_4k, reads);
  count(cache_hits, hits);
  count(cache_misses, misses);
}

Driver::Driver(const Snapshot& snapshot, IoTotals& totals, const io::DeviceOptions& device)
    : snapshot_(&snapshot), totals_(&totals), device_(device) {
  device_.depth = std::clamp<std::uint32_t>(device_.depth, 1, kDepthMax);
  wants_.resize(device_.depth);
  arrivals_.resize(device_.depth);
  pending_.reserve(device_.depth);
}

Result<std::unique_ptr<Driver>> Driver::create(const Snapshot& snapshot, IoTotals& totals,
                                               const io::DeviceOptions& device,
                                               std::string* fallback_reason) {
  std::unique_ptr<Driver> driver(new Driver(snapshot, totals, device));
  CAIRN_TRY(driver->open_reader(fallback_reason));
  return driver;
}

Status Driver::open_reader(std::string* fallback_reason) {
  const io::BlockReaderOptions options{.buffers = device_.depth, .device = device_};
  CAIRN_ASSIGN(reader_, io::BlockReader::create(snapshot_->folder().fs(), snapshot_->block_files(),
                                                options, snapshot_->cache(), fallback_reason));
  backend_ = reader_->backend();
  published_ = {};
  suspect_ = false;
  return {};
}

void Driver::run(JobSource& source, std::uint32_t reads_in_flight, std::int64_t wait_us) noexcept {
  room_ = room_max_ = std::clamp<std::uint32_t>(reads_in_flight, 1, device_.depth);
  for (;;) {
    const Status driven = guarded("search", [&]() -> Status {
      for (;;) {
        feed(source);
        if (active() == 0) return {};
        collect(source, wait_us);
      }
    });
    if (driven) return;
    give_up(driven.error(), source);
  }
}

void Driver::feed(JobSource& source) {
  for (std::size_t left = hungry_.size(); left > 0 && room_ > 0; --left) {
    const std::uint32_t machine = hungry_.front();
    hungry_.erase(hungry_.begin());
    machines_[machine].hungry = false;
    if (machines_[machine].active) advance(machine, source);
  }
  while (room_ > 0) {
    const auto job = source.next(active() == 0);
    if (!job) return;
    start(*job, source);
  }
}

void Driver::start(const Job& job, JobSource& source) {
  Status started = guarded("search", [&]() -> Status {
    if (is_cancelled(job)) return fail(cancelled());
    if (reader_ && active() == 0 && (suspect_ || !reader_->usable())) reader_.reset();
    if (!reader_) CAIRN_TRY(open_reader(nullptr));
    if (idle_.empty()) {
      idle_.reserve(machines_.size() + 1);
      hungry_.reserve(machines_.size() + 1);
      machines_.emplace_back(snapshot_->limits());
      idle_.push_back(static_cast<std::uint32_t>(machines_.size() - 1));
    }
    machines_[idle_.back()].query.start(*job.request, snapshot_->segments());
    return {};
  });
  if (!started) return source.finish(job.id, fail(std::move(started).error()));
  const std::uint32_t machine = idle_.back();
  idle_.pop_back();
  machines_[machine].job = job;
  machines_[machine].active = true;
  advance(machine, source);
}

void Driver::advance(std::uint32_t machine, JobSource& source) {
  want(machine, source);
  const Machine& m = machines_[machine];
  if (m.outstanding == 0) end(machine, source);
}

/// Blocks under way of one search: where others wait to share the device, it is best kept busy by
/// them, as a search that knows more before it reads on reads less.
std::uint32_t Driver::width(const JobSource& source) const {
  const std::size_t searches = std::max<std::size_t>(1, active() + source.waiting());
  return static_cast<std::uint32_t>(std::max<std::size_t>(1, room_max_ / searches));
}

void Driver::want(std::uint32_t machine, const JobSource& source) {
  Machine& m = machines_[machine];
  if (!m.error && is_cancelled(m.job)) m.error = std::make_unique<Error>(cancelled());
  if (m.error) return;
  Result<std::uint32_t> count = guarded("search", [&]() -> Result<std::uint32_t> {
    return m.query.wants(std::span(wants_).first(room_), width(source));
  });
  if (!count) {
    m.error = std::make_unique<Error>(std::move(count).error());
    return;
  }
  for (const BlockWant& want : std::span(wants_).first(*count))
    pending_.push_back(snapshot_->locate(want.segment, want.first_slot, token_of(machine, want)));
  m.outstanding += *count;
  if (*count > 0) m.rounds.wanted();
  room_ -= *count;
  if (pending_.size() >= std::clamp(room_max_ / 4, 1u, kStartAtOnceMax)) submit();
  if (room_ > 0 || m.hungry) return;
  m.hungry = true;
  hungry_.push_back(machine);
}

/// Starts the reads that are wanted, as far as the reader has room.
void Driver::submit() {
  const std::uint32_t taken = reader_->request(pending_);
  pending_.erase(pending_.begin(), pending_.begin() + taken);
}

void Driver::collect(JobSource& source, std::int64_t wait_us) {
  submit();
  const auto arrived = reader_->collect(arrivals_, 1, wait_us);
  if (!arrived) return give_up(arrived.error(), source);
  for (std::uint32_t i = 0; i < *arrived; ++i) arrive(arrivals_[i], source);
}

void Driver::arrive(io::BlockArrival& arrival, JobSource& source) {
  const std::uint32_t machine = machine_of(arrival.token);
  Machine& m = machines_[machine];
  --m.outstanding;
  ++room_;
  if (m.rounds.ended_by(arrival.source)) m.query.count_round();
  if (arrival.source == io::BlockSource::disk && snapshot_->cache() != nullptr) ++cache_misses_;
  if (arrival.error) {
    suspect_ |= arrival.error->code != ErrorCode::corrupt;
    if (!m.error) m.error = std::move(arrival.error);
  } else if (!m.error) {
    Status absorbed = guarded("search", [&] { return absorb(m, want_of(arrival.token), arrival); });
    if (!absorbed) m.error = std::make_unique<Error>(std::move(absorbed).error());
  }
  arrival = {};
  advance(machine, source);
}

Status Driver::absorb(Machine& machine, const BlockWant& want, const io::BlockArrival& arrival) {
  Status absorbed = machine.query.absorb(want, arrival.block.bytes(), arrival.source);
  if (absorbed) return absorbed;
  return fail(snapshot_->in_block(std::move(absorbed).error(), want.segment, want.first_slot));
}

void Driver::end(std::uint32_t machine, JobSource& source) {
  Machine& m = machines_[machine];
  m.active = false;
  m.rounds.clear();
  idle_.push_back(machine);
  publish_totals();
  const std::unique_ptr<Error> error = std::move(m.error);
  Result<SearchResult> result = guarded("search", [&]() -> Result<SearchResult> {
    if (error) return fail(std::move(*error));
    return m.query.take();
  });
  give_back_growth(m);
  source.finish(m.job.id, std::move(result));
}

/// A search of a long list must not hold its memory for as long as its thread waits for others.
void Driver::give_back_growth(Machine& machine) const {
  if (machine.query.ram_bytes() <= kMachineBytesMax) return;
  const Status replaced = guarded("search", [&]() -> Status {
    machine.query = Query(snapshot_->limits());
    return {};
  });
  (void)replaced;  // where there is no memory for another, this one serves on
}

/// Ends every search under way, whatever state it is in, and drops the reads with their device.
void Driver::give_up(const Error& error, JobSource& source) noexcept {
  publish_totals();
  for (io::BlockArrival& arrival : arrivals_) arrival = {};
  reader_.reset();
  pending_.clear();
  hungry_.clear();
  room_ = room_max_;
  for (std::uint32_t machine = 0; machine < machines_.size(); ++machine) {
    Machine& m = machines_[machine];
    if (!m.active) continue;
    m.active = m.hungry = false;
    m.rounds.clear();
    m.outstanding = 0;
    m.error.reset();
    idle_.push_back(machine);
    source.finish(m.job.id,
                  guarded("search", [&]() -> Result<SearchResult> { return fail(error); }));
  }
}

void Driver::publish_totals() {
  if (!reader_) return;
  const io::BlockCounters& now = reader_->counters();
  totals_->add(since(now.reads_4k, published_.reads_4k),
               since(now.cache_hits, published_.cache_hits), std::exchange(cache_misses_, 0));
}

void Driver::shrink() {
  while (machines_.size() > 1) machines_.pop_back();
  hungry_.clear();
  idle_.clear();
  if (!machines_.empty()) idle_.push_back(0);
}

}  // namespace cairn::search
