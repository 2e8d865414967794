// The largest single allocation of this executable, for tests that feed lying counts.
#pragma once

#include <cstddef>

namespace cairn::formats {

/// Bytes of the largest call of operator new since the last call of this. Not thread-safe.
std::size_t largest_allocation();

}  // namespace cairn::formats
