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
  for (int number : {SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
}

bool interrupted() { return signal_seen != 0; }

Status check_interrupt() {
  if (!interrupted()) return {};
  return fail(ErrorCode::cancelled, signal_seen == SIGINT ? "interrupted" : "terminated");
}

}  // namespace cairn::tools
