// The header of IDX (yann.lecun.com/exdb/mnist): two zero bytes, element type, number of
// dimensions, then each dimension as a big-endian u32.
#pragma once

#include "tools/formats/vector_format.h"

namespace cairn::formats {

/// Types 0x08 (u8), 0x09 (i8) and 0x0D (f32, big-endian); at least two dimensions, those after the
/// first are multiplied. Does not look at the file's size.
Result<VectorHeader> decode_idx_header(std::span<const std::byte> head);

/// Two dimensions: count, dim.
std::vector<std::byte> encode_idx_header(const VectorHeader& header);

}  // namespace cairn::formats
