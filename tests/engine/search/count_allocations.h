// Counts the calls of operator new in this executable. The operators stand in a file of their own,
// so that no compiler inlines one half of a pair.
#pragma once

#include <cstddef>

namespace cairn::search::testing {
std::size_t allocation_count();
}
