#include "engine/build/phases.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

namespace cairn::build {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

std::uint64_t process_peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

constexpr double kNoteEvery_s = 0.25, kListEvery_s = 1;

std::uint64_t resident_bytes() {
  // Pages: all, resident, ...
  std::uint64_t all = 0, resident = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Phases::Phases(const BuildOptions& options, BuildReport& report)
    : options_(options), report_(report), peak_before_bytes_(process_peak_bytes()) {}

Phases::Times Phases::now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now().time_since_epoch();
  return {wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

void Phases::begin(std::string name) {
  end();
  name_ = std::move(name);
  start_ = now();
  noted_s_ = start_.wall_s;
  note_peaks();
}

void Phases::end() {
  if (name_.empty()) return;
  const Times stop = now();
  note_peaks();
  report_.phases.push_back({name_, stop.wall_s - start_.wall_s, stop.cpu_s - start_.cpu_s});
  name_.clear();
}

void Phases::watch(io::Fs& fs, std::string folder) {
  fs_ = &fs;
  folder_ = std::move(folder);
}

Tick Phases::tick() {
  return [this](const char* phase, std::uint64_t done, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    return report(phase, done, total);
  };
}

bool Phases::report(const char* phase, std::uint64_t done, std::uint64_t total) {
  if (cancelled_) return false;
  const double now_s = now().wall_s;
  if (now_s - noted_s_ > kNoteEvery_s) {
    noted_s_ = now_s;
    note_peaks();
  }
  if (!options_.progress) return true;
  BuildProgress progress{.phase = phase, .done = done, .total = total};
  progress.memory_bytes = memory_bytes_;
  progress.disk_bytes = disk_bytes_;
  fill_shares(progress);
  if (!options_.progress(progress)) cancelled_ = true;
  return !cancelled_;
}

void Phases::note_peaks() {
  memory_bytes_ = resident_bytes();
  report_.memory_peak_bytes = std::max(report_.memory_peak_bytes, memory_bytes_);
  // Between two looks there may have been more; what the process held before is not ours.
  if (const std::uint64_t peak = process_peak_bytes(); peak > peak_before_bytes_)
    report_.memory_peak_bytes = std::max(report_.memory_peak_bytes, peak);
  if (fs_ == nullptr || noted_s_ - listed_s_ < kListEvery_s) return;
  listed_s_ = noted_s_;
  // What cannot be looked at now is not worth an error: it is a figure of a report.
  const auto names = fs_->list(folder_);
  if (!names) return;
  disk_bytes_ = 0;
  for (const std::string& name : *names)
    disk_bytes_ += fs_->file_bytes(folder_ + "/" + name).value_or(0);
  report_.disk_peak_bytes = std::max(report_.disk_peak_bytes, disk_bytes_);
}

/// By planned times: phases before this one are done.
void Phases::fill_shares(BuildProgress& progress) const {
  double all_s = 0, done_s = 0;
  bool found = false;
  for (const BuildPlan::Phase& phase : plan_.phases) {
    all_s += phase.seconds;
    if (phase.name == name_) {
      found = true;
      if (progress.total != 0)
        done_s += phase.seconds * static_cast<double>(progress.done) /
                  static_cast<double>(progress.total);
    } else if (!found) {
      done_s += phase.seconds;
    }
  }
  if (!found || all_s <= 0) return;
  progress.share = std::min(1.0, done_s / all_s);
  progress.left_s = all_s - done_s;
}

Status Phases::check() const {
  if (!cancelled_) return {};
  return fail(ErrorCode::cancelled, "the build was cancelled");
}

}  // namespace cairn::build
