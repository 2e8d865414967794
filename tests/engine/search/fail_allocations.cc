#include "tests/engine/search/fail_allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

struct Plan {
  std::uint64_t spared = 0, to_fail = 0, failed = 0;
};
thread_local Plan plan;
std::atomic<std::int64_t> live{0};

void give_back(void* memory) {
  if (memory != nullptr) live -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) {
  if (plan.to_fail > 0 && plan.spared > 0) {
    --plan.spared;
  } else if (plan.to_fail > 0) {
    --plan.to_fail;
    ++plan.failed;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) {
    live += static_cast<std::int64_t>(malloc_usable_size(memory));
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }

namespace cairn::search::testing {

void fail_allocations(std::uint64_t first, std::uint64_t count) { plan = {first, count, 0}; }

std::uint64_t stop_failing_allocations() {
  const std::uint64_t failed = plan.failed;
  plan = {};
  return failed;
}

std::int64_t live_bytes() { return live; }

}  // namespace cairn::search::testing
