// Makes a chosen call of operator new fail in this executable, and counts what is allocated. The
// operators stand in a file of their own, so that no compiler inlines one half of a pair.
#pragma once

#include <cstdint>

namespace cairn::search::testing {

/// The calling thread's allocations fail from the `first`-th on (0: the next), `count` of them.
void fail_allocations(std::uint64_t first, std::uint64_t count);
/// Ends that; returns how many failed.
std::uint64_t stop_failing_allocations();

/// The same for the allocations of all threads, numbered together as they come; off until it is
/// resumed.
void fail_allocations_everywhere(std::uint64_t first, std::uint64_t count);
/// Off in between, and on again: what is not under test allocates as it likes.
void resume_failing_everywhere(bool on);
struct Everywhere {
  std::uint64_t calls = 0, failed = 0;
};
/// Ends that.
Everywhere stop_failing_everywhere();

/// Bytes that operator new gave and that were not given back, over all threads.
std::int64_t live_bytes();

}  // namespace cairn::search::testing
