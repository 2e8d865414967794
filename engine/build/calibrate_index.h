// cairn::calibrate_index over a file system of choice.
#pragma once

#include <cairn/calibrate.h>

#include <string>

#include "io/fs.h"

namespace cairn::build {

Result<CalibrateReport> calibrate_index(io::Fs& fs, const std::string& folder,
                                        const CalibrateOptions& options);

}  // namespace cairn::build
