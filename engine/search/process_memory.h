// How much memory this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::search {

/// The least of physical memory, RLIMIT_AS, and the memory limits of the process's control groups
/// (v1 and v2, every ancestor). `root` prefixes /proc and /sys, for tests. What cannot be read does
/// not limit.
std::uint64_t process_memory_bytes(const std::string& root = "");

}  // namespace cairn::search
