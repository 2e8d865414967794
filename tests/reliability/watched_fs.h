// A file system that watches the devices made on it: what each has in flight, what it had at most,
// and what all of them read. So a campaign sees from below whether every buffer of a reader is
// still there: a reader starts as many reads as it has buffers.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "io/aligned_buffer.h"
#include "io/forwarding_fs.h"

namespace cairn::reliability {

using Clock = std::chrono::steady_clock;

/// How long this thread was ready to run and had no core, ever; 0 where the kernel does not say.
inline std::chrono::nanoseconds time_without_core() {
  std::int64_t ran = 0, waited = 0;
  std::ifstream("/proc/thread-self/schedstat") >> ran >> waited;
  return std::chrono::nanoseconds(waited);
}

/// Thread-safe, its devices as any device.
class WatchedFs final : public io::ForwardingFs {
 public:
  /// A device that is open.
  struct Watch {
    std::uint32_t depth = 0;
    std::atomic<std::uint32_t> in_flight = 0, in_flight_max = 0;
  };

  explicit WatchedFs(io::Fs& to) : io::ForwardingFs(to) {}

  Result<std::unique_ptr<io::Device>> make_device(std::span<const io::ReadFile* const> files,
                                                  const io::DeviceOptions& options,
                                                  std::string* fallback_reason) override;

  /// Reads that devices started, in units of 4 KiB.
  std::uint64_t reads_4k() const { return reads_4k_; }
  /// What the search of this thread is bound by from now on; nothing: it is not.
  static void set_deadline(std::optional<Clock::time_point> deadline) {
    bound = deadline;
    without_core_before = time_without_core();
  }
  /// How often reads began more than kLate after the deadline of their thread, times apart in which
  /// it waited for a core, and were no second attempt at reads that had failed.
  std::uint64_t begun_late() const { return begun_late_; }
  static constexpr std::chrono::milliseconds kLate{1};

  /// Reads that ended in an error of the device.
  std::uint64_t failed_reads() const { return failed_reads_; }
  std::size_t open_devices() const {
    const std::lock_guard lock(mutex_);
    return watches_.size();
  }
  /// Begins anew to look for the most that each device has in flight.
  void forget_most() {
    const std::lock_guard lock(mutex_);
    for (const auto& watch : watches_) watch->in_flight_max = watch->in_flight.load();
  }
  /// Open devices that did not once have `depth` reads in flight, or have some now.
  std::size_t short_of_depth() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(watches_, [](const auto& watch) {
      return watch->in_flight != 0 || watch->in_flight_max != watch->depth;
    }));
  }

 private:
  class Watched;

  static inline thread_local std::optional<Clock::time_point> bound;
  static inline thread_local std::chrono::nanoseconds without_core_before{};

  std::atomic<std::uint64_t> reads_4k_ = 0, failed_reads_ = 0, begun_late_ = 0;
  mutable std::mutex mutex_;  // of the list
  std::list<std::unique_ptr<Watch>> watches_;
};

class WatchedFs::Watched final : public io::Device {
 public:
  Watched(WatchedFs& fs, Watch& watch, std::unique_ptr<io::Device> device)
      : fs_(fs), watch_(watch), device_(std::move(device)) {}
  ~Watched() override {
    device_.reset();
    const std::lock_guard lock(fs_.mutex_);
    fs_.watches_.remove_if([&](const auto& watch) { return watch.get() == &watch_; });
  }

  std::uint32_t depth() const override { return device_->depth(); }
  std::uint32_t in_flight() const override { return device_->in_flight(); }
  io::Backend backend() const override { return device_->backend(); }
  bool stuck() const override { return device_->stuck(); }
  bool drain() override { return device_->drain(); }
  bool usable() const override { return device_->usable(); }
  Result<std::uint32_t> submit(std::span<const io::ReadOp> ops) override {
    const std::uint32_t repeated = std::exchange(failed_, 0);
    fs_.begun_late_ += ops.size() > repeated && is_late();
    auto taken = device_->submit(ops);
    for (const io::ReadOp& op : ops.first(taken.value_or(0)))
      fs_.reads_4k_ += op.bytes / io::kIoAlignment;
    look();
    return taken;
  }
  Result<std::uint32_t> reap(std::span<io::ReadDone> done, std::uint32_t wait_min,
                             std::int64_t timeout_us) override {
    auto reaped = device_->reap(done, wait_min, timeout_us);
    for (const io::ReadDone& read : done.first(reaped.value_or(0))) failed_ += read.error != 0;
    fs_.failed_reads_ += failed_;
    look();
    return reaped;
  }

 private:
  static bool is_late() {
    if (!bound) return false;
    const auto late = Clock::now() - *bound;
    return late > kLate && late > kLate + time_without_core() - without_core_before;
  }
  void look() {
    const std::uint32_t now = device_->in_flight();
    watch_.in_flight = now;
    if (now > watch_.in_flight_max) watch_.in_flight_max = now;
  }

  WatchedFs& fs_;
  Watch& watch_;
  std::unique_ptr<io::Device> device_;
  std::uint32_t failed_ = 0;  // reads of the last reap()
};

inline Result<std::unique_ptr<io::Device>> WatchedFs::make_device(
    std::span<const io::ReadFile* const> files, const io::DeviceOptions& options,
    std::string* fallback_reason) {
  CAIRN_ASSIGN(auto device, io::ForwardingFs::make_device(files, options, fallback_reason));
  const std::lock_guard lock(mutex_);
  Watch& watch = *watches_.emplace_back(std::make_unique<Watch>());
  watch.depth = device->depth();
  return std::make_unique<Watched>(*this, watch, std::move(device));
}

}  // namespace cairn::reliability
