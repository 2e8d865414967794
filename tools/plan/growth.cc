#include "tools/plan/growth.h"

#include <algorithm>
#include <cmath>

namespace cairn::tools::plan {
namespace {

// Half of an interval that holds nine in ten, in deviations.
constexpr double kDeviations = 1.645;
constexpr double kHalfMax = 0.9;

double doublings(std::uint64_t count) { return std::log2(static_cast<double>(count)); }

/// Least squares over the doublings of the count.
struct Line {
  double x_mean = 0, y_mean = 0, xx = 0, xy = 0;

  template <class Value>
  Line(const Series& points, Value value) {
    const auto n = static_cast<double>(points.size());
    for (const Measured& point : points) {
      x_mean += doublings(point.count) / n;
      y_mean += value(point) / n;
    }
    for (const Measured& point : points) {
      const double x = doublings(point.count) - x_mean;
      xx += x * x;
      xy += x * (value(point) - y_mean);
    }
  }
};

Line log_line(const Series& points) {
  return {points, [](const Measured& point) { return std::log(point.value); }};
}

}  // namespace

Trend trend_of(std::span<const Series> all, const GrowthKind& kind) {
  double xx = 0, xy = 0;
  for (const Series& points : all) {
    const Line line = log_line(points);
    xx += line.xx;
    xy += line.xy;
  }
  // Series of one sample share its queries and graph: together they are no surer than one.
  const double series = static_cast<double>(std::max<std::size_t>(1, all.size()));
  const double measured = xx / series / (kPointError * kPointError);
  const double usual = 1 / (kind.slope_error * kind.slope_error);
  const double slope = xx > 0 ? xy / xx : 0;
  return {.slope = std::max(0.0, (measured * slope + usual * kind.slope) / (measured + usual)),
          .slope_error = 1 / std::sqrt(measured + usual),
          .bend = kind.bend,
          .far_error = kind.far_error};
}

Estimate grow(const Series& points, std::uint64_t count, const Trend& trend) {
  const Line line = log_line(points);
  const double last = doublings(points.back().count);
  const double far = doublings(count) - line.x_mean;
  const double beyond = std::max(0.0, doublings(count) - last);
  const double bent = std::min(beyond, kBentDoublings);
  // From the middle of the points to the last one the slope has grown already.
  const double steeper = trend.slope * trend.bend * bent * (last - line.x_mean + bent / 2);
  const double value = std::exp(line.y_mean + trend.slope * far + steeper);
  const double error =
      std::sqrt(kPointError * kPointError / static_cast<double>(points.size()) +
                std::pow(trend.slope_error * far, 2) + std::pow(trend.far_error * beyond, 2));
  return Estimate::within(value, std::min(kDeviations * error, kHalfMax));
}

double grow_evenly(const Series& points, std::uint64_t count) {
  const Line line(points, [](const Measured& point) { return point.value; });
  const double slope = line.xx > 0 ? line.xy / line.xx : 0;
  return line.y_mean + slope * (doublings(count) - line.x_mean);
}

}  // namespace cairn::tools::plan
