// An index of two segments, which no builder makes yet, out of two of one.
#pragma once

#include <cairn/result.h>

#include <string>

#include "io/fs.h"
#include "layout/manifest.h"

namespace cairn::search::testing {

/// Moves the files of `from` into `into`, of the same dim, dtype and metric, and names them in its
/// manifest as a second segment. A calibration of `from` is left behind.
Status merge_segments(io::Fs& fs, const std::string& from, const std::string& into);

/// The manifest of a folder as it is on `fs`.
Result<layout::Manifest> manifest_of(io::Fs& fs, const std::string& folder);

}  // namespace cairn::search::testing
