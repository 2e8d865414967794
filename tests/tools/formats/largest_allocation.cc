// The operators stand in a file of their own, so that no compiler sees both ends of a pair and
// leaves it out.
#include "tests/tools/formats/largest_allocation.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace {
std::size_t largest = 0;
}

void* operator new(std::size_t bytes) {
  largest = std::max(largest, bytes);
  if (void* at = std::malloc(bytes == 0 ? 1 : bytes)) return at;
  throw std::bad_alloc();
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }

std::size_t cairn::formats::largest_allocation() { return std::exchange(largest, 0); }
