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
// Of all threads together: which calls fail, by their number.
std::atomic<bool> everywhere{false};
std::atomic<std::uint64_t> calls{0}, fail_from{0}, fail_to{0}, failed_everywhere{0};
std::atomic<std::int64_t> live{0};

void give_back(void* memory) {
  if (memory != nullptr) live -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

bool is_to_fail() {
  if (everywhere) {
    const std::uint64_t call = calls++;
    const bool fails = call >= fail_from && call < fail_to;
    if (fails) ++failed_everywhere;
    return fails;
  }
  if (plan.to_fail == 0) return false;
  if (plan.spared > 0) {
    --plan.spared;
    return false;
  }
  --plan.to_fail;
  ++plan.failed;
  return true;
}

void* counted(void* memory) {
  if (memory != nullptr) live += static_cast<std::int64_t>(malloc_usable_size(memory));
  return memory;
}

void* try_to(std::size_t bytes) {
  return is_to_fail() ? nullptr : counted(std::malloc(bytes == 0 ? 1 : bytes));
}

void* allocate(std::size_t bytes) {
  if (void* memory = try_to(bytes)) return memory;
  throw std::bad_alloc();
}

void* allocate(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  void* memory = nullptr;
  if (!is_to_fail()) memory = counted(std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// All forms: a sanitizer has its own of those that are not replaced, and they do not mix.
void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t unit) { return allocate(bytes, unit); }
void* operator new[](std::size_t bytes, std::align_val_t unit) { return allocate(bytes, unit); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return try_to(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return try_to(bytes); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }

namespace cairn::search::testing {

void fail_allocations(std::uint64_t first, std::uint64_t count) { plan = {first, count, 0}; }

std::uint64_t stop_failing_allocations() {
  const std::uint64_t failed = plan.failed;
  plan = {};
  return failed;
}

void fail_allocations_everywhere(std::uint64_t first, std::uint64_t count) {
  calls = failed_everywhere = 0;
  fail_from = first;
  fail_to = count > ~std::uint64_t{0} - first ? ~std::uint64_t{0} : first + count;
  everywhere = false;  // until it is resumed
}

void resume_failing_everywhere(bool on) { everywhere = on; }

Everywhere stop_failing_everywhere() {
  everywhere = false;
  fail_from = ~std::uint64_t{0};
  return {.calls = calls, .failed = failed_everywhere};
}

std::int64_t live_bytes() { return live; }

}  // namespace cairn::search::testing
