// Measures what recall costs on an index: for each state of memory, k and list size one curve.
#pragma once

#include <cairn/calibrate.h>

#include <string>

#include "io/fs.h"
#include "layout/calibration.h"

namespace cairn::search {

/// The index of `folder`, which is not changed. The same for the same index, options and kernels,
/// whatever the number of threads. over_limit when not even the codes fit `options.memory_bytes`.
Result<layout::Calibration> measure_calibration(io::Fs& fs, const std::string& folder,
                                                const CalibrateOptions& options);

}  // namespace cairn::search
