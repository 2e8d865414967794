// Rows as the libraries that know only f32 take them.
#pragma once

#include <cairn/types.h>

namespace cairn::tools {

/// `row` as f32, of length one under cosine.
void to_floats(VectorView row, Metric metric, float* into);

}  // namespace cairn::tools
