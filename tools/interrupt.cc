#include "tools/interrupt.h"

#include <csignal>

namespace cairn::tools {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

void note(int number) { signal_seen = number; }

}  // namespace

void install_interrupt() {
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return signal_seen != 0; }

Status check_interrupt() {
  if (!interrupted()) return {};
  const int seen = signal_seen;
  return fail(ErrorCode::cancelled, seen == SIGINT    ? "interrupted"
                                    : seen == SIGTERM ? "terminated"
                                                      : "hung up");
}

}  // namespace cairn::tools
