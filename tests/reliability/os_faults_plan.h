// Between the doubles of the system's calls and the plan of faults. Internal to os_faults.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "tests/reliability/os_faults.h"

namespace cairn::os_faults {

/// What a call is made on: a descriptor or names. Looked up only when the call is struck.
struct Target {
  int fd = -1;
  const char* path = nullptr;
  const char* to = nullptr;  // of a rename
};
/// Counts a call; what is to befall it, if anything.
std::optional<Kind> next_call(Call call, const void* returns_to, const Target& target = {});
/// The errno value of a kind that has one, else 0.
int errno_of(Kind kind);
/// What hangs or is held back may come back; what hangs from now on does again.
void release_files();
void release_rings();

}  // namespace cairn::os_faults
