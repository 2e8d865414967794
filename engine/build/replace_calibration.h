// Publishes a calibration in a folder that holds an index.
#pragma once

#include <cairn/result.h>

#include <string>

#include "io/fs.h"
#include "layout/calibration.h"
#include "layout/manifest.h"

namespace cairn::build {

/// Writes the file and a manifest of the next sequence that names it in place of the one before,
/// which goes unless somebody pins a manifest that names it. The caller keeps other writers away.
/// A crash leaves the index as it was, or as it will be; files that no manifest names are removed
/// by the next call. Returns the manifest that it published. unsupported for a calibration that no
/// reader would take, and an index of which a newer format says that it must not be written to;
/// no_space, io, and errors of opening the folder.
Result<layout::Manifest> replace_calibration(io::Fs& fs, const std::string& folder,
                                             const layout::Calibration& calibration);

}  // namespace cairn::build
