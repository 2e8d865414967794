// What a build reports while it runs and when it ends: phases with their times, progress, lines.
#pragma once

#include <cairn/builder.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "engine/build/pipnn.h"

namespace cairn::build {

class Phases {
 public:
  /// `options` must outlive this.
  Phases(const BuildOptions& options, BuildReport& report) : options_(options), report_(report) {}

  /// Ends the phase before and starts the next: wall time and, over all threads, processor time.
  void begin(std::string name);
  void end();
  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

  /// Passes progress on, from one thread at a time. False once the caller has cancelled.
  Tick tick();
  /// `cancelled` when the caller has cancelled.
  Status check() const;

 private:
  struct Times {
    double wall_s = 0, cpu_s = 0;
  };
  static Times now();

  const BuildOptions& options_;
  BuildReport& report_;
  std::string name_;
  Times start_;
  std::mutex mutex_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace cairn::build
