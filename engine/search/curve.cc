#include "engine/search/curve.h"

#include <algorithm>
#include <array>
#include <limits>

namespace cairn::search {
namespace {

/// Where a curve gets a point: denser where users ask.
constexpr std::array kLevels = {0.5,  0.6,   0.7,  0.75,  0.8,   0.84,  0.87,  0.89,  0.9,   0.91,
                                0.92, 0.93,  0.94, 0.945, 0.95,  0.955, 0.96,  0.965, 0.97,  0.975,
                                0.98, 0.985, 0.99, 0.992, 0.994, 0.996, 0.998, 0.999, 0.9995};

/// What one block of one search adds.
struct Step {
  float needed;
  std::uint32_t found, codes;
};

}  // namespace

std::vector<layout::CurvePoint> make_curve(std::span<const Trace> traces, std::uint32_t k,
                                           float slack_max) {
  std::vector<Step> steps;
  for (const Trace& trace : traces)
    for (std::size_t i = 0; i < trace.needed.size(); ++i)
      steps.push_back({trace.needed[i], trace.found[i + 1] - trace.found[i],
                       trace.codes[i + 1] - trace.codes[i]});
  std::ranges::sort(steps, {}, &Step::needed);
  const double queries = static_cast<double>(traces.size());
  std::uint64_t found = 0, codes = 0;
  for (const Trace& trace : traces) codes += trace.codes.front();
  std::size_t at = 0;
  const auto take_through = [&](float needed) {
    for (; at < steps.size() && steps[at].needed <= needed; ++at) {
      found += steps[at].found;
      codes += steps[at].codes;
    }
  };
  std::vector<layout::CurvePoint> points;
  const auto recall = [&] { return static_cast<double>(found) / (queries * k); };
  const auto add = [&](float slack) {
    points.push_back({slack, static_cast<float>(recall()),
                      static_cast<float>(static_cast<double>(at) / queries),
                      static_cast<float>(static_cast<double>(codes) / queries)});
  };
  // The least effort: what is read before there are k results to bound a search.
  take_through(std::numeric_limits<float>::lowest());
  const float first = at < steps.size() ? steps[at].needed : slack_max;
  add(std::min(-1.0F, first - 1));
  std::size_t level = 0;
  const auto pass_levels = [&] {
    const std::size_t before = level;
    while (level < kLevels.size() && recall() >= kLevels[level]) ++level;
    return level != before;
  };
  pass_levels();
  while (at < steps.size() && steps[at].needed <= slack_max) {
    const float slack = steps[at].needed;
    take_through(slack);
    const bool last = at == steps.size() || steps[at].needed > slack_max;
    if (pass_levels() || last) add(slack);
  }
  return points;
}

layout::CurvePoint mean_at(std::span<const Trace> traces, std::uint32_t k, float slack) {
  std::uint64_t found = 0, blocks = 0, codes = 0;
  for (const Trace& trace : traces) {
    const auto read = static_cast<std::size_t>(std::ranges::upper_bound(trace.needed, slack) -
                                               trace.needed.begin());
    found += trace.found[read];
    blocks += read;
    codes += trace.codes[read];
  }
  const auto queries = static_cast<double>(traces.size());
  return {slack, static_cast<float>(static_cast<double>(found) / (queries * k)),
          static_cast<float>(static_cast<double>(blocks) / queries),
          static_cast<float>(static_cast<double>(codes) / queries)};
}

}  // namespace cairn::search
