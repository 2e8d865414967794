#include "tests/reliability/os_faults.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

#include "tests/reliability/os_faults_plan.h"

// The first byte of the program in memory, by the linker.
extern "C" const char __ehdr_start;

namespace cairn::os_faults {
namespace {

struct State {
  std::mutex mutex;  // of all below
  std::thread::id own;
  bool watching = false;
  std::vector<Made> made;
  std::optional<Fault> fault;
  std::optional<Call> sticky;  // what goes on failing
  std::uint64_t number = 0;
  std::uint64_t struck = 0;
  std::map<std::uintptr_t, Count> sites;
};

State& state() {
  static State* const one = new State;  // calls are made until the very end
  return *one;
}

bool is_read(Call call) { return call == Call::read_file || call == Call::read_request; }

}  // namespace

std::string_view call_name(Call call) {
  constexpr std::string_view kNames[] = {
      "open",           "close",        "fcntl",      "stat",      "statvfs",
      "pread",          "read",         "pwrite",     "fsync",     "ftruncate",
      "mkdir",          "rename",       "remove",     "readdir",   "uring_setup",
      "uring_register", "uring_submit", "uring_wait", "uring_read"};
  return kNames[static_cast<std::size_t>(call)];
}

std::string_view kind_name(Kind kind) {
  constexpr std::string_view kNames[] = {"EIO",   "ENOSPC",      "EAGAIN", "EINVAL",
                                         "short", "wrong_block", "lost",   "late"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool befalls(Kind kind, const Made& made) {
  switch (kind) {
    case Kind::eio:
    case Kind::enospc:
    case Kind::eagain:
    case Kind::einval:
      return true;
    case Kind::short_count:
      return is_read(made.call) || made.call == Call::read_stream ||
             made.call == Call::write_file || made.call == Call::ring_submit;
    case Kind::wrong_block:
      return is_read(made.call);
    case Kind::late:
      return is_read(made.call) || made.call == Call::read_stream;
    case Kind::lost:
      // A thread that waits for its own read waits for as long as the kernel does.
      return made.call == Call::read_request ||
             (made.call == Call::read_file && !made.on_own_thread);
  }
  return false;
}

std::optional<Kind> next_call(Call call, const void* returns_to) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  Made made{.call = call};
  made.site = reinterpret_cast<std::uintptr_t>(returns_to) -
              reinterpret_cast<std::uintptr_t>(&__ehdr_start);
  made.on_own_thread = std::this_thread::get_id() == s.own;
  Count& count = s.sites[made.site];
  count.call = call;
  ++count.made;
  if (s.watching) s.made.push_back(made);
  if (!s.fault) return std::nullopt;
  const bool at = s.number++ == s.fault->at;
  if (at && s.fault->sticky) s.sticky = call;
  std::optional<Kind> kind;
  if (at || s.sticky == call)
    kind = s.fault->kind;
  else if (s.struck > 0 && made.site == s.fault->then_site)
    kind = s.fault->then_kind;
  if (!kind || !befalls(*kind, made)) return std::nullopt;
  ++count.struck;
  ++s.struck;
  return kind;
}

void watch() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.own = std::this_thread::get_id();
  s.watching = true;
  s.made.clear();
}

std::vector<Made> stop_watching() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.watching = false;
  return std::move(s.made);
}

void arm(const Fault& fault) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.own = std::this_thread::get_id();
  s.fault = fault;
  s.sticky.reset();
  s.number = s.struck = 0;
}

void disarm() {
  {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    s.fault.reset();
    s.sticky.reset();
  }
  release_files();
  release_rings();
}

std::uint64_t struck() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.struck;
}

std::map<std::uintptr_t, Count> sites() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.sites;
}

}  // namespace cairn::os_faults
