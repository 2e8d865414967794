// How far the refined distance of a candidate may lie below its base distance, by those of the same
// search: what says which candidates need not be refined yet.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace cairn::search {

class RefinementMargin {
 public:
  /// Of one candidate: its base distance less its refined one.
  void add(float gain) {
    ++count_;
    sum_ += gain;
    squares_ += double{gain} * gain;
  }

  /// What hardly any gain exceeds; infinite until there are some.
  float margin() const {
    if (count_ < kCountMin) return std::numeric_limits<float>::infinity();
    const double mean = sum_ / count_;
    const double variance = std::max(0.0, squares_ / count_ - mean * mean);
    const auto margin = static_cast<float>(mean + kDeviations * std::sqrt(variance));
    return std::isfinite(margin) ? margin : std::numeric_limits<float>::infinity();
  }

 private:
  static constexpr std::uint32_t kCountMin = 16;
  // At 3 recall and reads are those of refining all, at 2 some recall is lost: see DESIGN.md.
  static constexpr double kDeviations = 3;

  std::uint32_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

}  // namespace cairn::search
