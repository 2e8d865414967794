// What a running build shows on standard error: one line for its phase and for the whole, or JSON
// for a log collector.
#pragma once

#include <cairn/builder.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tools/output.h"

namespace cairn::tools {

enum class ProgressStyle : std::uint8_t {
  none,
  terminal,  // one line, rewritten at most five times a second, once two seconds have passed
  line,      // a line of its own every ten seconds
  json,      // an object a line: at each change of phase, and at most two a second
};

/// "link 43 % | all 61 %, 123,000 vectors/s, 3m12s left, 1.9 GiB memory, 4.1 GiB disk"; what is
/// unknown (0) is left out.
std::string build_progress_line(const BuildProgress& step, double vectors_per_s);

/// The same as one JSON object, without a line end; nothing is left out.
std::string build_progress_json(const BuildProgress& step, double vectors_per_s);

/// Not thread-safe.
class BuildProgressPrinter {
 public:
  using Clock = std::chrono::steady_clock;
  using Out = std::function<void(std::string_view)>;

  /// `vectors`: of the whole build, for the rate. `out` takes what is to be shown.
  BuildProgressPrinter(ProgressStyle style, std::uint64_t vectors, Out out = say,
                       Clock::time_point now = Clock::now());
  ~BuildProgressPrinter() { wipe(); }
  BuildProgressPrinter(const BuildProgressPrinter&) = delete;
  BuildProgressPrinter& operator=(const BuildProgressPrinter&) = delete;

  void update(const BuildProgress& step, Clock::time_point now = Clock::now());
  /// Clears the line of a terminal, so that something else can be written.
  void wipe();

 private:
  /// Vectors a second in this phase, since it began or was gone on with; 0 when unknown.
  double rate(const BuildProgress& step, Clock::time_point now) const;
  void show(const BuildProgress& step, Clock::time_point now);

  ProgressStyle style_;
  std::uint64_t vectors_;
  Out out_;
  std::string phase_;
  double phase_share_ = 0;  // when the phase was first seen
  Clock::time_point phase_start_, next_;
  bool shown_ = false;
};

}  // namespace cairn::tools
