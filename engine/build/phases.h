// What a build reports while it runs and when it ends: phases with their times, progress, lines.
#pragma once

#include <cairn/builder.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "engine/build/pipnn.h"
#include "io/fs.h"

namespace cairn::build {

class Phases {
 public:
  /// `options` must outlive this.
  Phases(const BuildOptions& options, BuildReport& report);

  /// Ends the phase before and starts the next: wall time and, over all threads, processor time.
  void begin(std::string name);
  void end();
  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

  /// What the shares of phases in the whole are taken from.
  void set_plan(const BuildPlan& plan) { plan_ = plan; }
  /// What the folder of the build takes, for progress and peaks.
  void watch(io::Fs& fs, std::string folder);

  /// Passes progress on, from one thread at a time, and notes peaks. False once the caller has
  /// cancelled.
  Tick tick();
  /// `cancelled` when the caller has cancelled.
  Status check() const;

 private:
  struct Times {
    double wall_s = 0, cpu_s = 0;
  };
  static Times now();
  bool report(const char* phase, std::uint64_t done, std::uint64_t total);
  void note_peaks();
  void fill_shares(BuildProgress& progress) const;

  const BuildOptions& options_;
  BuildReport& report_;
  BuildPlan plan_;
  io::Fs* fs_ = nullptr;
  std::string folder_;
  std::string name_;
  Times start_;
  double noted_s_ = 0, listed_s_ = 0;  // when peaks were noted, and the folder listed
  std::uint64_t memory_bytes_ = 0, disk_bytes_ = 0;
  std::uint64_t peak_before_bytes_;  // of the process, before this build
  std::mutex mutex_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace cairn::build
