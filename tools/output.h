// What the command prints: results to standard output, everything else to standard error.
#pragma once

#include <cairn/result.h>

#include <string_view>

namespace cairn::tools {

/// Writes to standard output; that it took no more is remembered for check_output().
void print(std::string_view text);

/// Writes to standard error as it is. That nobody can read it is no reason to end the work.
void say(std::string_view text);

/// io once standard output took no more: a full disk, a reader that left. Long loops that print ask
/// between chunks.
Status check_output();

/// The same after all that was printed left the process.
Status flush_output();

}  // namespace cairn::tools
