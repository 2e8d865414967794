// Index::open on any file system: tests open on a simulated one.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <string>

#include "io/fs.h"

namespace cairn::search {

/// `fs` must outlive the index.
Result<std::unique_ptr<Index>> open_index(io::Fs& fs, const std::string& folder,
                                          const OpenOptions& options);

}  // namespace cairn::search
