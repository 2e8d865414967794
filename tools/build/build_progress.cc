#include "tools/build/build_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/units.h"

namespace cairn::tools {
namespace {

using std::chrono::milliseconds;

/// Of the phase, 0 to 1.
double phase_share(const BuildProgress& step) {
  if (step.total == 0) return 0;
  return std::min(1.0, static_cast<double>(step.done) / static_cast<double>(step.total));
}

milliseconds first_after(ProgressStyle style) {
  return style == ProgressStyle::terminal ? milliseconds{2000} : milliseconds{10000};
}

milliseconds pause_of(ProgressStyle style) {
  return style == ProgressStyle::terminal ? milliseconds{200}
         : style == ProgressStyle::line   ? milliseconds{10000}
                                          : milliseconds{500};
}

}  // namespace

std::string build_progress_line(const BuildProgress& step, double vectors_per_s) {
  std::string line = fmt::format("{} {:.0f} % | all {:.0f} %", step.phase, 100 * phase_share(step),
                                 100 * std::clamp(step.share, 0.0, 1.0));
  if (vectors_per_s > 0)
    line += fmt::format(", {} vectors/s", show_count(static_cast<std::uint64_t>(vectors_per_s)));
  if (step.left_s > 0) line += fmt::format(", {} left", show_duration(step.left_s));
  if (step.memory_bytes > 0) line += fmt::format(", {} memory", show_bytes(step.memory_bytes));
  if (step.disk_bytes > 0) line += fmt::format(", {} disk", show_bytes(step.disk_bytes));
  return line;
}

std::string build_progress_json(const BuildProgress& step, double vectors_per_s) {
  const nlohmann::ordered_json object = {
      {"phase", step.phase},          {"phase_share", phase_share(step)},
      {"share", step.share},          {"vectors_per_s", vectors_per_s},
      {"left_s", step.left_s},        {"memory_bytes", step.memory_bytes},
      {"disk_bytes", step.disk_bytes}};
  return object.dump();
}

BuildProgressPrinter::BuildProgressPrinter(ProgressStyle style, std::uint64_t vectors, Out out,
                                           Clock::time_point now)
    : style_(style),
      vectors_(vectors),
      out_(std::move(out)),
      phase_start_(now),
      next_(now + first_after(style)) {}

double BuildProgressPrinter::rate(const BuildProgress& step, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - phase_start_).count();
  const double share = phase_share(step) - phase_share_;
  if (seconds <= 0 || share <= 0) return 0;
  return share * static_cast<double>(vectors_) / seconds;
}

void BuildProgressPrinter::update(const BuildProgress& step, Clock::time_point now) {
  if (style_ == ProgressStyle::none) return;
  const bool new_phase = phase_ != step.phase;
  if (new_phase) {
    phase_ = step.phase;
    phase_share_ = phase_share(step);
    phase_start_ = now;
  }
  if (now >= next_ || (new_phase && style_ == ProgressStyle::json)) show(step, now);
}

void BuildProgressPrinter::show(const BuildProgress& step, Clock::time_point now) {
  next_ = now + pause_of(style_);
  const double vectors_per_s = rate(step, now);
  if (style_ == ProgressStyle::json) {
    out_(build_progress_json(step, vectors_per_s) + "\n");
  } else if (style_ == ProgressStyle::line) {
    out_(build_progress_line(step, vectors_per_s) + "\n");
  } else {
    shown_ = true;
    out_("\r\x1b[K" + build_progress_line(step, vectors_per_s));
  }
}

void BuildProgressPrinter::wipe() {
  if (std::exchange(shown_, false)) out_("\r\x1b[K");
}

}  // namespace cairn::tools
