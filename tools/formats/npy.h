// The header of NumPy's .npy: a Python dictionary literal after a magic and a length
// (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include "tools/formats/vector_format.h"

namespace cairn::formats {

/// Versions 1.0, 2.0 and 3.0. Strict: exactly the keys descr, fortran_order and shape, once each;
/// a shape of two dimensions. Does not look at the file's size.
Result<VectorHeader> decode_npy_header(std::span<const std::byte> head);

/// Version 1.0, padded with spaces to a multiple of 64 bytes as NumPy does.
std::vector<std::byte> encode_npy_header(const VectorHeader& header);

}  // namespace cairn::formats
