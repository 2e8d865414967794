// A row of any element type as floats.
#pragma once

#include <cairn/types.h>

#include <span>

namespace cairn::search {

/// `out`: row.dim floats. No alignment of the row assumed.
void to_floats(VectorView row, std::span<float> out);

}  // namespace cairn::search
