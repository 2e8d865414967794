// The operators stand in a file of their own, so that no compiler sees both ends of a pair and
// leaves it out.
#include "tests/tools/formats/largest_allocation.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace {

std::size_t largest = 0;

void* noted(std::size_t bytes) {
  largest = std::max(largest, bytes);
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

// The forms without a throw too: a sanitizer has its own of what is not replaced.
void* operator new(std::size_t bytes) {
  if (void* at = noted(bytes)) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return noted(bytes); }
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return noted(bytes); }
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, const std::nothrow_t&) noexcept { std::free(at); }

std::size_t cairn::formats::largest_allocation() { return std::exchange(largest, 0); }
