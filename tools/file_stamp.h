// What tells a file that may have changed from one that has not, without reading it.
#pragma once

#include <string>

#include "engine/build/hash.h"

namespace cairn::tools {

/// Size, time, inode; or why it cannot be asked.
void add_file_stamp(build::Hash& hash, const std::string& path);

}  // namespace cairn::tools
