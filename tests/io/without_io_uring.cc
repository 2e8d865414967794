// without_io_uring COMMAND...: runs a command under a filter that refuses io_uring, as containers
// often do. As a wrapper of `meson test` it shows that the tests pass on `pread` alone.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tests/io/seccomp.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: without_io_uring COMMAND...\n", stderr);
    return 2;
  }
  if (!cairn::io::forbid(SYS_io_uring_setup, EPERM)) {
    std::fprintf(stderr, "without_io_uring: no filter: %s\n", std::strerror(errno));
    return 1;
  }
  ::execvp(argv[1], argv + 1);
  std::fprintf(stderr, "without_io_uring: %s: %s\n", argv[1], std::strerror(errno));
  return 1;
}
