#include "tests/reliability/os_faults.h"

#include <unistd.h>

#include <algorithm>
#include <array>
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
  std::vector<Strike> strikes;
  std::map<std::uintptr_t, Count> sites;
};

State& state() {
  static State* const one = new State;  // calls are made until the very end
  return *one;
}

bool is_read(Call call) { return call == Call::read_file || call == Call::read_request; }

/// Calls that may wait, and so be interrupted.
bool may_wait(Call call) {
  switch (call) {
    case Call::open_file:
    case Call::read_stream:
    case Call::write_file:
    case Call::sync_file:
    case Call::cut_file:
    case Call::close_file:
    case Call::ring_submit:
    case Call::ring_wait:
      return true;
    default:
      return is_read(call);
  }
}

/// A call that is asked again for as long as signals come: they do not come for ever.
constexpr std::uint64_t kSignalsMax = 1000;
bool asked_again_for_ever(Call call) {
  return call == Call::read_stream || call == Call::write_file || call == Call::cut_file;
}

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t bytes = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

Strike strike_of(Call call, Kind kind, bool lasting, const Target& target) {
  Strike strike{.call = call, .kind = kind, .lasting = lasting, .path = {}, .to = {}};
  if (target.path != nullptr)
    strike.path = target.path;
  else if (target.fd >= 0)
    strike.path = path_of(target.fd);
  if (target.to != nullptr) strike.to = target.to;
  return strike;
}

}  // namespace

std::string_view call_name(Call call) {
  constexpr std::string_view kNames[] = {
      "open",       "close",      "fcntl",   "stat",        "statvfs",        "pread",
      "read",       "pwrite",     "fsync",   "ftruncate",   "mkdir",          "rename",
      "renameat2",  "remove",     "readdir", "uring_setup", "uring_register", "uring_submit",
      "uring_wait", "uring_read", "gzdopen", "mmap",        "thread"};
  return kNames[static_cast<std::size_t>(call)];
}

std::string_view kind_name(Kind kind) {
  constexpr std::string_view kNames[] = {"EIO",    "ENOSPC", "EAGAIN",      "EINVAL", "EINTR",
                                         "ENOMEM", "short",  "wrong_block", "lost",   "late"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool befalls(Kind kind, const Made& made) {
  // Each of these fails in one way.
  if (made.call == Call::map_memory || made.call == Call::open_packed) return kind == Kind::enomem;
  if (made.call == Call::start_thread) return kind == Kind::eagain;
  switch (kind) {
    case Kind::eio:
    case Kind::enospc:
    case Kind::eagain:
    case Kind::einval:
      return true;
    case Kind::enomem:
      return false;
    case Kind::eintr:
      return may_wait(made.call);
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

std::optional<Kind> next_call(Call call, const void* returns_to, const Target& target) {
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
  const bool then = !at && s.sticky != call && s.struck > 0 && made.site == s.fault->then_site;
  if (at || s.sticky == call)
    kind = s.fault->kind;
  else if (then)
    kind = s.fault->then_kind;
  if (!kind || !befalls(*kind, made)) return std::nullopt;
  if (kind == Kind::eintr && asked_again_for_ever(call) && s.struck >= kSignalsMax)
    return std::nullopt;
  ++count.struck;
  ++s.struck;
  Strike strike = strike_of(call, *kind, then || s.fault->sticky, target);
  if (std::ranges::find(s.strikes, strike) == s.strikes.end())
    s.strikes.push_back(std::move(strike));
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
  s.strikes.clear();
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

std::vector<Strike> strikes() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.strikes;
}

std::map<std::uintptr_t, Count> sites() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  return s.sites;
}

}  // namespace cairn::os_faults
