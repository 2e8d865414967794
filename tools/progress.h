// One line on a terminal for work of more than two seconds: percent, rate, time left. Silent when
// standard error is not a terminal, or when told to be.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cairn::tools {

/// The line alone, without the carriage return. `done` above `total` (> 0) counts as all of it;
/// elapsed > 0.
std::string progress_line(const std::string& what, std::uint64_t done, std::uint64_t total,
                          double elapsed_s);

/// Not thread-safe. Writes to standard error, at most five times a second; the destructor wipes the
/// line.
class Progress {
 public:
  Progress(std::string what, std::uint64_t total, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done);
  /// Where the total is known only on the way.
  void update(std::uint64_t done, std::uint64_t total);
  /// Another piece of work begins: its own name, total and clock.
  void restart(std::string what, std::uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  std::uint64_t total_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::seconds{2};
};

}  // namespace cairn::tools
