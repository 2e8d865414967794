#include "tools/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace cairn::tools {
namespace {

int output_error = 0;  // errno of the first write to standard output that failed

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && output_error == 0)
    output_error = errno;
}

void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

Status check_output() {
  if (output_error == 0) return {};
  return fail({.code = ErrorCode::io,
               .what = "write to standard output",
               .found = std::strerror(output_error)});
}

Status flush_output() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  return check_output();
}

}  // namespace cairn::tools
