#include "engine/search/effort.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

namespace cairn::search {
namespace {

using layout::Curve;
using layout::CurvePoint;

/// Looking at so many codes takes as long as reading a block: about 65 ns each, where a device
/// gives 20,000 blocks a second for each core. The list of the least cost is taken.
constexpr double kCodesPerBlock = 800;

/// Hostile curves may name lists up to the largest number, and rounding goes beyond.
std::uint32_t list_size_of(double size) {
  return static_cast<std::uint32_t>(std::min(4e9, std::ceil(size)));
}

double cost(double blocks, double codes) { return blocks + codes / kCodesPerBlock; }
double cost(const CurvePoint& point) { return cost(double{point.blocks}, double{point.codes}); }

bool better(const Effort& a, const Effort& b) {
  if (a.enough != b.enough) return a.enough;
  if (!a.enough) return a.recall > b.recall;
  return cost(a.blocks, a.codes) < cost(b.blocks, b.codes);
}

/// Aimed at above what is asked: a curve is a mean over few queries, and less than was asked is
/// worse than more.
double margin(double recall) { return std::min(0.004, (1 - recall) / 4); }

CurvePoint between(const CurvePoint& low, const CurvePoint& high, double recall) {
  const double span = double{high.recall} - double{low.recall};
  const double t = span > 0 ? (recall - double{low.recall}) / span : 1;
  const auto mix = [t](float a, float b) {
    return static_cast<float>(double{a} + t * (double{b} - double{a}));
  };
  return {mix(low.slack, high.slack), mix(low.recall, high.recall), mix(low.blocks, high.blocks),
          mix(low.codes, high.codes)};
}

/// Where the curve has `recall`: its first point when that is above, its last when it never gets
/// there.
CurvePoint point_at(const Curve& curve, double recall) {
  const auto at = std::ranges::find_if(
      curve.points, [&](const CurvePoint& point) { return double{point.recall} >= recall; });
  if (at == curve.points.end()) return curve.points.back();
  if (at == curve.points.begin()) return *at;
  return between(*(at - 1), *at, recall);
}

auto state_of(const Curve& curve) {
  return std::tuple(curve.record.refine_bytes, curve.record.nav_edges);
}

std::span<const Curve> curves_of(const layout::Calibration& calibration,
                                 std::tuple<std::uint32_t, std::uint32_t> state) {
  return {std::ranges::lower_bound(calibration.curves, state, {}, state_of),
          std::ranges::upper_bound(calibration.curves, state, {}, state_of)};
}

std::size_t bytes_of(const Curve& curve) {
  return sizeof curve + curve.points.capacity() * sizeof(CurvePoint);
}

Effort mix(const Effort& low, const Effort& high, double t) {
  const auto linear = [t](double a, double b) { return a + t * (b - a); };
  Effort mixed;
  mixed.list_size =
      list_size_of(std::exp(linear(std::log(low.list_size), std::log(high.list_size))));
  mixed.slack_alone = static_cast<float>(linear(double{low.slack_alone}, double{high.slack_alone}));
  mixed.slack_wide = static_cast<float>(linear(double{low.slack_wide}, double{high.slack_wide}));
  mixed.recall = linear(low.recall, high.recall);
  mixed.blocks = linear(low.blocks, high.blocks);
  mixed.blocks_wide = linear(low.blocks_wide, high.blocks_wide);
  mixed.codes = linear(low.codes, high.codes);
  mixed.edges = low.edges;
  mixed.enough = low.enough && high.enough;
  mixed.reached = low.reached && high.reached;
  mixed.least = low.least || high.least;
  mixed.least_wide = low.least_wide || high.least_wide;
  return mixed;
}

}  // namespace

float Effort::slack(std::uint32_t width, std::uint32_t width_max) const {
  if (width_max <= 1) return slack_alone;
  const auto t =
      static_cast<float>(std::clamp(width, 1U, width_max) - 1) / static_cast<float>(width_max - 1);
  return slack_alone + t * (slack_wide - slack_alone);
}

EffortTable::EffortTable(const layout::Calibration& calibration, std::uint32_t refine_bytes,
                         std::uint32_t nav_edges, std::uint32_t width_max)
    : width_max_(width_max) {
  std::optional<decltype(state_of(calibration.curves.front()))> state;
  for (const Curve& curve : calibration.curves) {
    const bool holds =
        curve.record.refine_bytes <= refine_bytes && curve.record.nav_edges <= nav_edges;
    if (holds && curve.record.width == 1) state = std::max(state, std::optional(state_of(curve)));
  }
  if (!state) return;
  const Curves walking = curves_of(calibration, *state);
  const std::tuple without(std::get<0>(*state), 0U);
  Curves led = *state == without ? Curves{} : curves_of(calibration, without);
  if (std::ranges::none_of(led, [](const Curve& curve) { return curve.record.width == 1; }))
    led = {};
  curves_.reserve(led.size() + walking.size());  // no more than ram_bytes_max() says
  curves_.insert(curves_.end(), led.begin(), led.end());
  curves_.insert(curves_.end(), walking.begin(), walking.end());
  walking_ = led.size();
}

EffortTable::Curves EffortTable::of(Curves state, std::uint32_t k, std::uint32_t width) {
  const auto key = [](const Curve& curve) {
    return std::tuple(curve.record.k, curve.record.width);
  };
  const std::tuple wanted(k, width);
  return {std::ranges::lower_bound(state, wanted, {}, key),
          std::ranges::upper_bound(state, wanted, {}, key)};
}

Effort EffortTable::at(std::uint32_t k, double recall) const {
  const Curves all = curves_;
  const Effort walking = at(all.subspan(walking_), k, recall);
  if (walking_ == 0) return walking;
  const Effort led = at(all.first(walking_), k, recall);
  return better(led, walking) ? led : walking;
}

Effort EffortTable::at(Curves state, std::uint32_t k, double recall) const {
  std::uint32_t below = 0, above = 0;  // measured k's around this one; 0: none
  for (const Curve& curve : state) {
    if (curve.record.width != 1) continue;
    if (curve.record.k <= k) below = curve.record.k;
    if (curve.record.k >= k && above == 0) above = curve.record.k;
  }
  if (below == k || below == 0) return at_measured(state, above, recall);
  const Effort low = at_measured(state, below, recall);
  if (above != 0) {
    const double t = (std::log(k) - std::log(below)) / (std::log(above) - std::log(below));
    return mix(low, at_measured(state, above, recall), t);
  }
  Effort scaled = low;
  const double ratio = static_cast<double>(k) / below;
  scaled.list_size = list_size_of(low.list_size * ratio);
  scaled.blocks *= ratio;
  scaled.blocks_wide *= ratio;
  scaled.codes *= ratio;
  return scaled;
}

Effort EffortTable::at_measured(Curves state, std::uint32_t k, double recall) const {
  const double goal = recall + margin(recall);
  const Curves curves = of(state, k, 1);
  const auto reaches = [&](const Curve& curve) {
    return double{curve.points.back().recall} >= goal;
  };
  const Curve* chosen = nullptr;
  for (const Curve& curve : curves) {
    if (!reaches(curve)) {
      // None so far: the one that comes nearest.
      if (chosen == nullptr ||
          (!reaches(*chosen) && curve.points.back().recall > chosen->points.back().recall))
        chosen = &curve;
      continue;
    }
    const bool better = chosen == nullptr || !reaches(*chosen) ||
                        cost(point_at(curve, goal)) < cost(point_at(*chosen, goal));
    if (better) chosen = &curve;
  }
  const CurvePoint alone = point_at(*chosen, goal);
  const bool least = double{chosen->points.front().recall} >= goal;
  CurvePoint wide = alone;
  bool least_wide = least;
  for (const Curve& curve : of(state, k, width_max_)) {
    if (curve.record.list_size != chosen->record.list_size) continue;
    wide = point_at(curve, goal);
    least_wide = double{curve.points.front().recall} >= goal;
  }
  return {.list_size = chosen->record.list_size,
          .slack_alone = alone.slack,
          .slack_wide = wide.slack,
          .recall = double{alone.recall},
          .blocks = double{alone.blocks},
          .blocks_wide = double{wide.blocks},
          .codes = double{alone.codes},
          .edges = chosen->record.nav_edges != 0,
          .enough = reaches(*chosen),
          .reached = double{chosen->points.back().recall} >= recall,
          .least = least,
          .least_wide = least_wide};
}

std::size_t EffortTable::ram_bytes() const {
  std::size_t bytes = (curves_.capacity() - curves_.size()) * sizeof(Curve);
  for (const Curve& curve : curves_) bytes += bytes_of(curve);
  return bytes;
}

std::size_t EffortTable::ram_bytes_max(const layout::Calibration& calibration) {
  std::size_t most = 0, led = 0, bytes = 0;
  const Curve* before = nullptr;
  for (const Curve& curve : calibration.curves) {
    if (before != nullptr && before->record.refine_bytes != curve.record.refine_bytes) led = 0;
    if (before != nullptr && state_of(*before) != state_of(curve)) bytes = 0;
    bytes += bytes_of(curve);
    if (curve.record.nav_edges == 0) led = bytes;
    most = std::max(most, bytes + (curve.record.nav_edges == 0 ? 0 : led));
    before = &curve;
  }
  return most;
}

}  // namespace cairn::search
