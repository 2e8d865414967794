// Which reads of a device are in flight and since when, so that one that never comes back is seen:
// a lost interrupt or a dead server must cost a search an error and not its thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <optional>
#include <vector>

namespace cairn::io {

/// Not thread-safe. A read is known by the number of its slot, below `slots`.
class ReadTimeout {
 public:
  /// `timeout_us` as DeviceOptions::read_timeout_us; 0: nothing is ever overdue.
  ReadTimeout(std::uint32_t slots, std::int64_t timeout_us)
      : timeout_us_(timeout_us), started_us_(timeout_us > 0 ? slots : 0, kIdle) {}

  /// The reads of one submission begin together: the clock is asked once for all.
  std::int64_t now() const { return timeout_us_ > 0 ? coarse_now_us() : 0; }
  void begin(std::uint32_t slot, std::int64_t now_us) {
    if (timeout_us_ > 0) started_us_[slot] = now_us;
  }
  void end(std::uint32_t slot) {
    if (timeout_us_ > 0) started_us_[slot] = kIdle;
  }

  /// A read that has been in flight for too long, if there is one; to be asked when nothing that
  /// has come back is left to be taken. Cheap but once a time limit.
  std::optional<std::uint32_t> overdue() {
    if (timeout_us_ == 0) return std::nullopt;
    const std::int64_t now_us = coarse_now_us();
    if (now_us < look_us_) return std::nullopt;
    const auto oldest = std::ranges::min_element(started_us_);
    if (*oldest == kIdle) {
      look_us_ = now_us + timeout_us_;
      return std::nullopt;
    }
    look_us_ = *oldest + timeout_us_;
    if (look_us_ > now_us) return std::nullopt;
    // The clock runs on while the process is stopped, and its reads come back meanwhile: they are
    // late only if they are not there after some time to run.
    if (spared_us_ != *oldest) {
      spared_us_ = *oldest;
      look_us_ = now_us + kGraceUs;
      return std::nullopt;
    }
    return static_cast<std::uint32_t>(oldest - started_us_.begin());
  }

  /// For how long a wait may last before overdue() has to be asked again; negative: for ever.
  std::int64_t wait_max_us() const {
    return timeout_us_ == 0 ? -1 : std::max(kTickUs, look_us_ - coarse_now_us());
  }
  std::int64_t timeout_us() const { return timeout_us_; }

 private:
  static constexpr std::int64_t kIdle = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kGraceUs = 10'000;
  static constexpr std::int64_t kTickUs = 1'000;  // the coarse clock has no finer ones

  // A few milliseconds exact, and a quarter of the price of the steady clock.
  static std::int64_t coarse_now_us() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  }

  std::int64_t timeout_us_;
  std::int64_t look_us_ = 0;        // nothing is overdue before
  std::int64_t spared_us_ = kIdle;  // reads that began then were late and had their time to run
  std::vector<std::int64_t> started_us_;
};

}  // namespace cairn::io
