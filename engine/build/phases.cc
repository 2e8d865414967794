#include "engine/build/phases.h"

#include <sys/resource.h>

#include <chrono>
#include <utility>

namespace cairn::build {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

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
}

void Phases::end() {
  if (name_.empty()) return;
  const Times stop = now();
  report_.phases.push_back({name_, stop.wall_s - start_.wall_s, stop.cpu_s - start_.cpu_s});
  name_.clear();
}

Tick Phases::tick() {
  return [this](const char* phase, std::uint64_t done, std::uint64_t total) {
    if (!options_.progress) return true;
    const std::lock_guard lock(mutex_);
    if (!cancelled_ && !options_.progress({phase, done, total})) cancelled_ = true;
    return !cancelled_;
  };
}

Status Phases::check() const {
  if (!cancelled_) return {};
  return fail(ErrorCode::cancelled, "the build was cancelled");
}

}  // namespace cairn::build
