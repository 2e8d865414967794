// Files of 64-bit labels: decimal text, one a line (LF or CR LF), or, when the name ends in
// `.u64bin`, as the other big-ann files have it: u32 count, u32 1, then a u64 each, little-endian.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/formats/byte_source.h"

namespace cairn::formats {

enum class LabelCoding : std::uint8_t { text, u64bin };

/// Exactly `count` labels. invalid_argument, naming the line or the header, when the file holds
/// anything else; the errors of open_file(). Memory: the labels, once the file has so many.
Result<std::vector<Label>> read_labels(const std::string& path, std::uint64_t count);

/// The same over any source; `name` stands in errors.
Result<std::vector<Label>> read_labels(ByteSource& source, LabelCoding coding, std::uint64_t count,
                                       const std::string& name);

}  // namespace cairn::formats
