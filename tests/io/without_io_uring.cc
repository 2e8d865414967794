// without_io_uring [--missing] COMMAND...: runs a command under a filter that refuses io_uring, as
// containers often do; with --missing it says what a kernel without io_uring does. As a wrapper of
// `meson test` it shows that the tests pass on `pread` alone.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tests/io/seccomp.h"

int main(int argc, char** argv) {
  const bool missing = argc > 1 && std::strcmp(argv[1], "--missing") == 0;
  char** const command = argv + (missing ? 2 : 1);
  if (argc < (missing ? 3 : 2)) {
    std::fputs("usage: without_io_uring [--missing] COMMAND...\n", stderr);
    return 2;
  }
  if (!cairn::io::forbid(SYS_io_uring_setup, missing ? ENOSYS : EPERM)) {
    std::fprintf(stderr, "without_io_uring: no filter: %s\n", std::strerror(errno));
    return 1;
  }
  ::execvp(command[0], command);
  std::fprintf(stderr, "without_io_uring: %s: %s\n", command[0], std::strerror(errno));
  return 1;
}
