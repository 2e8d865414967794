// How a figure that was measured on nested sub-samples grows to a number of vectors far above.
#pragma once

#include <cstdint>
#include <span>

#include "tools/plan/workload.h"

namespace cairn::tools::plan {

struct Measured {
  std::uint64_t count = 0;
  double value = 0;  // above 0
};

/// A power of the number of vectors through the measured points (the logarithm of the value is a
/// line over the logarithm of the count), which gets steeper by `bend` with each of the first
/// kBentDoublings doublings beyond them. The interval comes from how far the points are off the
/// line, what that does to its slope so far out, kGrowthFloor, and kGrowthFar a doubling. At least
/// one point, ascending; below the largest count it is the line.
Estimate grow(std::span<const Measured> points, std::uint64_t count, double bend);

inline constexpr double kBentDoublings = 3.5;
/// Half an interval, at least, as a share; and what each doubling adds.
inline constexpr double kGrowthFloor = 0.06, kGrowthFar = 0.03;
/// Of searches in which blocks lead the way: where codes decide what is read, more of the vectors
/// look alike the more there are. Edges in RAM bend nothing. See engine/DESIGN.md, Plan.
inline constexpr double kBendBlocksLead = 0.013;

}  // namespace cairn::tools::plan
