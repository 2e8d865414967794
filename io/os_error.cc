#include "io/os_error.h"

#include <cerrno>
#include <system_error>

namespace cairn::io {

ErrorCode code_of_errno(int error) {
  switch (error) {
    case ENOENT:
      return ErrorCode::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorCode::already_exists;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case ENOMEM:
      return ErrorCode::out_of_memory;
    case EFBIG:
      return ErrorCode::over_limit;
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return ErrorCode::invalid_argument;
    case EOPNOTSUPP:
    case ENOSYS:
      return ErrorCode::unsupported;
    default:
      return ErrorCode::io;
  }
}

Error os_error(int error, std::string_view doing, std::string_view file) {
  return Error{
      .code = code_of_errno(error),
      .what = std::string(doing),
      .file = std::string(file),
      // generic_category's message() is thread-safe, which strerror is not.
      .found = std::generic_category().message(error) + " (errno " + std::to_string(error) + ")",
      .expected = error == EMFILE ? "a free descriptor: raise RLIMIT_NOFILE (ulimit -n)" : ""};
}

}  // namespace cairn::io
