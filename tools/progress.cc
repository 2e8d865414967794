#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "tools/output.h"
#include "tools/units.h"

namespace cairn::tools {

std::string progress_line(const std::string& what, std::uint64_t done, std::uint64_t total,
                          double elapsed_s) {
  done = std::min(done, total);
  const double rate = static_cast<double>(done) / elapsed_s;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double left_s = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  return fmt::format("{}: {:.0f} %, {}/s, {} left", what, 100 * share,
                     show_count(static_cast<std::uint64_t>(rate)), show_duration(left_s));
}

Progress::Progress(std::string what, std::uint64_t total, bool quiet)
    : what_(std::move(what)), total_(total), enabled_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) say("\r\x1b[K");
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  total_ = total;
  update(done);
}

void Progress::update(std::uint64_t done) {
  if (!enabled_ || total_ == 0) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds{200};
  shown_ = true;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  say("\r\x1b[K" + progress_line(what_, done, total_, elapsed_s));
}

void Progress::restart(std::string what, std::uint64_t total) {
  what_ = std::move(what);
  total_ = total;
  start_ = Clock::now();
  next_ = start_ + std::chrono::seconds{2};
}

}  // namespace cairn::tools
