// What opening an index costs a process, as a process sees it that does nothing else. One that was
// forked would share what its parent has touched of the libraries, and take what it has freed.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <optional>
#include <string>

namespace cairn::search::testing {

struct Opened {
  std::uint64_t rss_bytes = 0;  // of the process, with the index open
  std::uint64_t index_ram_bytes = 0;
  std::uint64_t codes_ram_bytes = 0, refine_ram_bytes = 0, nav_ram_bytes = 0, entries_ram_bytes = 0;
  double open_ms = 0;
};

/// Runs this program anew, to open `folder` within the memory limits of `limits`; nothing is opened
/// when that is null. Nothing when the child fails, which says why on standard error.
std::optional<Opened> open_in_child(const std::string& folder, const OpenOptions* limits);

/// The child's side, for main() to begin with: the exit code if this process is such a child.
std::optional<int> run_as_child(int argc, char** argv);

}  // namespace cairn::search::testing
