// Measures what recall costs on an index: for each state of memory, k and list size one curve.
#pragma once

#include <cairn/calibrate.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/search/memory_plan.h"
#include "io/fs.h"
#include "layout/calibration.h"

namespace cairn::search {

/// What to measure in place of what memory limits lead to, and k = 1, 10 and 100.
struct CalibrateStates {
  std::vector<SegmentPlan> states;       // empty: each step of memory that fits
  std::vector<std::uint32_t> neighbors;  // empty: 1, 10 and 100; else ascending, each once
};

/// Queries that every list is read to its end for, to see how far the others must read.
inline constexpr std::uint32_t kPilotQueries = 100;

/// Of what the index leaves of the memory, so much at most is a cache of blocks: the same queries
/// are searched for again and again.
inline constexpr std::uint64_t kCalibrationCacheBytes = 128u << 20;

/// The index of `folder`, which is not changed. The same for the same index, options and kernels,
/// whatever the number of threads. over_limit when not even the codes fit `options.memory_bytes`.
Result<layout::Calibration> measure_calibration(io::Fs& fs, const std::string& folder,
                                                const CalibrateOptions& options,
                                                const CalibrateStates& states = {});

}  // namespace cairn::search
