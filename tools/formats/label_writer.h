// Writes files that read_labels() takes.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <span>
#include <string>

namespace cairn::formats {

/// A new file of labels in their order: `.u64bin`, or decimal text, one a line, under any other
/// name. It appears whole. Errors of OutputFile; over_limit for more than a .u64bin can say.
Status write_labels(const std::string& path, std::span<const Label> labels);

}  // namespace cairn::formats
