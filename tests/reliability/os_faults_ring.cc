// The doubles of the calls that io/ makes on io_uring. A read is one call, counted when it is
// handed over: a short or misdirected one is changed there, and the kernel does the rest; what
// becomes of a completion is decided where io/ takes it from the ring.
#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <vector>

#include "io/uring_ring.h"
#include "tests/reliability/os_faults_plan.h"

#define CAIRN_SITE __builtin_return_address(0)

namespace cairn::os_faults {
namespace {

constexpr std::uint32_t kLateRounds = 3;

struct Held {
  io::RingDone done;
  std::uint32_t rounds_left = kLateRounds;
};

struct Rings {
  std::mutex mutex;                                   // of all below
  std::map<const io_uring*, unsigned> seen;           // requests of a ring that were counted
  std::map<const io_uring*, std::vector<int>> files;  // registered with it
  // By the user data, which is unique among the reads of a ring: the searches of a campaign use one
  // ring at a time.
  std::map<std::uint64_t, Kind> befallen;
  std::vector<Held> held;
};

Rings& rings() {
  static Rings* const one = new Rings;
  return *one;
}

void change(io_uring_sqe& request, Kind kind) {
  if (kind == Kind::short_count) request.len = std::max(1u, request.len / 2);
  if (kind == Kind::wrong_block)
    request.off =
        request.off >= request.len ? request.off - request.len : request.off + request.len;
}

/// Counts the requests that were prepared since the last time.
void count_requests(io_uring* ring, const void* site) {
  Rings& all = rings();
  const std::lock_guard lock(all.mutex);
  unsigned& seen = all.seen[ring];
  for (; seen != ring->sq.sqe_tail; ++seen) {
    io_uring_sqe& request = ring->sq.sqes[seen & *ring->sq.kring_mask];
    int fd = request.fd;
    if ((request.flags & IOSQE_FIXED_FILE) != 0)
      fd = all.files[ring].at(static_cast<std::size_t>(fd));
    if (const auto kind = next_call(Call::read_request, site, {.fd = fd})) {
      change(request, *kind);
      all.befallen[request.user_data] = *kind;
    }
  }
}

/// Whether completions are held back that a wait would miss.
bool holds_some() {
  Rings& all = rings();
  const std::lock_guard lock(all.mutex);
  return !all.held.empty();
}

std::uint32_t deliver_held(std::span<io::RingDone> into) {
  Rings& all = rings();
  std::uint32_t count = 0;
  for (auto held = all.held.begin(); held != all.held.end();) {
    if (held->rounds_left > 0) --held->rounds_left;
    if (held->rounds_left > 0 || count == into.size()) {
      ++held;
      continue;
    }
    into[count++] = held->done;
    held = all.held.erase(held);
  }
  return count;
}

/// What becomes of completions that the kernel gave; returns how many are left.
std::uint32_t befall(std::span<io::RingDone> given) {
  Rings& all = rings();
  std::uint32_t kept = 0;
  for (io::RingDone done : given) {
    const auto planned = all.befallen.find(done.user_data);
    if (planned != all.befallen.end()) {
      const Kind kind = planned->second;
      all.befallen.erase(planned);
      if (kind == Kind::lost) continue;
      if (kind == Kind::late) {
        all.held.push_back({done});
        continue;
      }
      if (errno_of(kind) != 0) done.result = -errno_of(kind);
    }
    given[kept++] = done;
  }
  return kept;
}

int error_for(Call call, const void* site) {
  const auto kind = next_call(call, site);
  return kind ? errno_of(*kind) : 0;
}

}  // namespace

void release_rings() {
  Rings& all = rings();
  const std::lock_guard lock(all.mutex);
  all.befallen.clear();
  all.held.clear();
}

}  // namespace cairn::os_faults

using namespace cairn::os_faults;

extern "C" {

int __real_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params);
int __real_io_uring_submit(io_uring* ring);
int __real_io_uring_get_events(io_uring* ring);
int __real_io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags,
                          sigset_t* signals);
int __real_io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags,
                           sigset_t* signals, size_t bytes);
int __real_io_uring_register(unsigned fd, unsigned code, const void* argument, unsigned count);
int __real_io_uring_register_files(io_uring* ring, const int* files, unsigned count);
int __real_io_uring_register_buffers(io_uring* ring, const iovec* buffers, unsigned count);
int __real_io_uring_unregister_buffers(io_uring* ring);

int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params) {
  if (const int error = error_for(Call::ring_setup, CAIRN_SITE); error != 0) return -error;
  {
    Rings& all = rings();
    const std::lock_guard lock(all.mutex);
    all.seen[ring] = 0;
  }
  return __real_io_uring_queue_init_params(entries, ring, params);
}

int __wrap_io_uring_submit(io_uring* ring) {
  count_requests(ring, CAIRN_SITE);
  const auto kind = next_call(Call::ring_submit, CAIRN_SITE);
  if (kind && errno_of(*kind) != 0) return -errno_of(*kind);
  if (kind != Kind::short_count) return __real_io_uring_submit(ring);
  // The kernel sees the first half; the rest stays prepared.
  const unsigned kept = (ring->sq.sqe_tail - ring->sq.sqe_head + 1) / 2;
  ring->sq.sqe_tail -= kept;
  const int taken = __real_io_uring_submit(ring);
  ring->sq.sqe_tail += kept;
  return taken;
}

int __wrap_io_uring_get_events(io_uring* ring) {
  const int error = error_for(Call::ring_wait, CAIRN_SITE);
  return error != 0 ? -error : __real_io_uring_get_events(ring);
}

int __wrap_io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags,
                          sigset_t* signals) {
  const int error = error_for(Call::ring_setup, CAIRN_SITE);
  return error != 0 ? -error : __real_io_uring_enter(fd, submit, wait, flags, signals);
}

int __wrap_io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags,
                           sigset_t* signals, size_t bytes) {
  if (const int error = error_for(Call::ring_wait, CAIRN_SITE); error != 0) return -error;
  if (holds_some()) return 0;
  return __real_io_uring_enter2(fd, submit, wait, flags, signals, bytes);
}

int __wrap_io_uring_register(unsigned fd, unsigned code, const void* argument, unsigned count) {
  const int error = error_for(Call::ring_register, CAIRN_SITE);
  return error != 0 ? -error : __real_io_uring_register(fd, code, argument, count);
}
int __wrap_io_uring_register_files(io_uring* ring, const int* files, unsigned count) {
  if (const int error = error_for(Call::ring_register, CAIRN_SITE); error != 0) return -error;
  {
    const std::lock_guard lock(rings().mutex);
    rings().files[ring].assign(files, files + count);
  }
  return __real_io_uring_register_files(ring, files, count);
}
int __wrap_io_uring_register_buffers(io_uring* ring, const iovec* buffers, unsigned count) {
  const int error = error_for(Call::ring_register, CAIRN_SITE);
  return error != 0 ? -error : __real_io_uring_register_buffers(ring, buffers, count);
}

int __wrap_io_uring_unregister_buffers(io_uring* ring) {
  const int error = error_for(Call::ring_register, CAIRN_SITE);
  return error != 0 ? -error : __real_io_uring_unregister_buffers(ring);
}

// UringRing::take, by the name that the compiler gives it.
std::uint32_t __real__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(
    cairn::io::UringRing* ring, std::span<cairn::io::RingDone> into);

std::uint32_t __wrap__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(
    cairn::io::UringRing* ring, std::span<cairn::io::RingDone> into) {
  std::uint32_t count = 0;
  {
    const std::lock_guard lock(rings().mutex);
    count = deliver_held(into);
  }
  const auto rest = into.subspan(count);
  const std::uint32_t given =
      __real__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(ring, rest);
  const std::lock_guard lock(rings().mutex);
  return count + befall(rest.first(given));
}

}  // extern "C"
