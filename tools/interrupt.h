// Ctrl-C, SIGTERM and SIGHUP as an error value, so that a verb that is stopped removes what it had
// begun.
#pragma once

#include <cairn/result.h>

namespace cairn::tools {

/// The first signal is noted; a second one ends the process as usual. For verbs that leave files:
/// others may simply end. A signal that was ignored before (nohup) stays so.
void install_interrupt();

bool interrupted();

/// ErrorCode::cancelled once a signal came. Long loops ask between chunks.
Status check_interrupt();

}  // namespace cairn::tools
