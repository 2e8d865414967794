// Index::open on any file system: tests open on a simulated one.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/search/memory_plan.h"
#include "io/fs.h"

namespace cairn::search {

/// `fs` must outlive the index. `loaded` as of Snapshot::open.
Result<std::unique_ptr<Index>> open_index(io::Fs& fs, const std::string& folder,
                                          const OpenOptions& options,
                                          std::optional<SegmentPlan> loaded = {});

}  // namespace cairn::search
