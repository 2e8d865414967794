// Another program, run to its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cairn::peers {

/// Takes one line of output, without its end.
using Line = std::function<void(const std::string& line)>;

/// Runs `program`, found in PATH unless it has a slash, with these arguments, args[0] included, and
/// returns its exit code: 127 when it cannot be started, 1 when a signal ended it. Its standard
/// output goes to `line`, or to this program's when that is empty.
int run_program(const std::string& program, const std::vector<std::string>& args,
                const Line& line = {});

}  // namespace cairn::peers
