// How figures that were measured on nested sub-samples grow to a number of vectors far above.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/plan/workload.h"

namespace cairn::tools::plan {

struct Measured {
  std::uint64_t count = 0;
  double value = 0;  // above 0
};
using Series = std::vector<Measured>;  // ascending in count, at least one

/// How a kind of search grows, by what was measured on other sets.
struct GrowthKind {
  double slope, slope_error;  // of the logarithm, a doubling: the mean, and its deviation
  double bend;       // what each of the first kBentDoublings adds to the slope, as a share of it
  double far_error;  // deviation of the form itself, a doubling beyond the points
};
/// Where blocks lead the way, codes decide what is read, and the more vectors there are the more
/// look alike; edges in RAM bend nothing. engine/DESIGN.md, Plan, has the figures.
inline constexpr GrowthKind kBlocksLead{0.15, 0.06, 0.18, 0.024};
inline constexpr GrowthKind kEdgesLead{0.065, 0.02, 0, 0.018};

struct Trend {
  double slope = 0, slope_error = 0;
  double bend = 0, far_error = 0;
};

/// The common slope of series of one kind over the logarithm of the count, by least squares,
/// weighed against what is usual. A series of one point says nothing of it. Not below 0.
Trend trend_of(std::span<const Series> all, const GrowthKind& kind);

/// A power of the count through the middle of `points`. The interval holds nine in ten: it grows
/// with kPointError of each point, the error of the slope and that of the form.
Estimate grow(const Series& points, std::uint64_t count, const Trend& trend);

/// A line over the logarithm of the count, for what grows evenly.
double grow_evenly(const Series& points, std::uint64_t count);

inline constexpr double kBentDoublings = 3.5;
/// Deviation of a measured point, as a share: by its queries and by the list that it took.
inline constexpr double kPointError = 0.04;

}  // namespace cairn::tools::plan
