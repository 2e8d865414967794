// The calibration of an index folder.
#pragma once

#include <cairn/result.h>

#include <optional>

#include "engine/search/index_folder.h"
#include "layout/calibration.h"

namespace cairn::search {

/// Nothing when the folder has none. corrupt, io, naming the file.
Result<std::optional<layout::Calibration>> read_calibration(const IndexFolder& folder, bool direct);

}  // namespace cairn::search
