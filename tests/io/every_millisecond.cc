// Loaded before a command (LD_PRELOAD): it is interrupted by a signal every millisecond, as by a
// profiler that asks for no restart of what was interrupted.
#include <signal.h>
#include <sys/time.h>

namespace {

void nothing(int) {}

[[gnu::constructor]] void begin() {
  struct sigaction action = {};
  action.sa_handler = nothing;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval every{.it_interval = {0, 1000}, .it_value = {0, 1000}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
}

}  // namespace
