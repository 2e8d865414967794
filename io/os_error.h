// From an errno value to an Error that says what was being done, to which file, and why it failed.
#pragma once

#include <cairn/result.h>

#include <string>
#include <string_view>

namespace cairn::io {

/// The cause an errno value stands for; ErrorCode::io when nothing closer fits.
ErrorCode code_of_errno(int error);

/// "io: read 'x/000001.blocks': Input/output error (errno 5)".
Error os_error(int error, std::string_view doing, std::string_view file);

}  // namespace cairn::io
