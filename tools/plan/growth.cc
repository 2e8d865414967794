#include "tools/plan/growth.h"

#include <algorithm>
#include <cmath>

namespace cairn::tools::plan {
namespace {

// Of a line through one point: reads a tenth more with each doubling, about what was measured.
constexpr double kSlopeUnknown = 0.1;
// Half of an interval that holds nine in ten, in deviations.
constexpr double kDeviations = 1.645;

double doublings(std::uint64_t count) { return std::log2(static_cast<double>(count)); }

struct Line {
  double x_mean = 0, y_mean = 0, slope = kSlopeUnknown, slope_error = kSlopeUnknown, off = 0;
};

Line line_through(std::span<const Measured> points) {
  Line line;
  const auto n = static_cast<double>(points.size());
  for (const Measured& point : points) {
    line.x_mean += doublings(point.count) / n;
    line.y_mean += std::log(point.value) / n;
  }
  double xx = 0, xy = 0;
  for (const Measured& point : points) {
    const double x = doublings(point.count) - line.x_mean;
    xx += x * x;
    xy += x * (std::log(point.value) - line.y_mean);
  }
  if (xx <= 0) return line;
  // Reads never fall with more vectors but for noise.
  line.slope = std::max(0.0, xy / xx);
  for (const Measured& point : points) {
    const double x = doublings(point.count) - line.x_mean;
    const double off = std::log(point.value) - line.y_mean - line.slope * x;
    line.off += off * off;
  }
  line.off = std::sqrt(line.off / std::max(1.0, n - 2));
  line.slope_error = line.off / std::sqrt(xx);
  return line;
}

}  // namespace

Estimate grow(std::span<const Measured> points, std::uint64_t count, double bend) {
  const Line line = line_through(points);
  const double x = doublings(count), last = doublings(points.back().count);
  const double beyond = std::max(0.0, x - last);
  const double bent = std::min(beyond, kBentDoublings);
  // From the middle of the points to their end the slope has grown already.
  const double steeper =
      bend * (bent * (last - line.x_mean) + bent * bent / 2 + bent * (beyond - bent));
  const double value = std::exp(line.y_mean + line.slope * (x - line.x_mean) + steeper);
  const double noise = std::hypot(line.off / std::sqrt(static_cast<double>(points.size())),
                                  line.slope_error * (x - line.x_mean));
  const double half = kGrowthFloor + kGrowthFar * beyond + kDeviations * noise / 2;
  return Estimate::within(value, std::min(half, 0.9));
}

}  // namespace cairn::tools::plan
