// The curve of recall and blocks against slack that traces of many searches make together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/search/trace.h"
#include "layout/calibration.h"

namespace cairn::search {

/// Means over the traces for slacks up to `slack_max`, from the least effort on: a point for each
/// of some levels of recall that is passed, and the last. At least one. O(n log n) in the blocks of
/// all traces.
std::vector<layout::CurvePoint> make_curve(std::span<const Trace> traces, std::uint32_t k,
                                           float slack_max);

/// What searches with `slack` find and read on the mean.
layout::CurvePoint mean_at(std::span<const Trace> traces, std::uint32_t k, float slack);

}  // namespace cairn::search
