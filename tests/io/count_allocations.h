// Counts heap allocations, so that "allocates nothing per request" is a test and not a hope.
#pragma once

#include <cstdint>

namespace cairn::io {

/// Calls of operator new by the calling thread since it started, in a binary that links
/// count_allocations.cc.
std::uint64_t allocations_of_this_thread();

}  // namespace cairn::io
