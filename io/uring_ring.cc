#include "io/uring_ring.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "io/os_error.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kCommonFlags = IORING_SETUP_CLAMP;
// TASKRUN_FLAG makes a peek enter the kernel when completions wait there; without it a
// DEFER_TASKRUN ring shows nothing to a peek.
constexpr std::uint32_t kCooperative =
    kCommonFlags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
constexpr std::uint32_t kOneThread = kCommonFlags | IORING_SETUP_SUBMIT_ALL |
                                     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED;
constexpr std::array<std::uint32_t, 3> kLadder = {kOneThread, kCooperative, kCommonFlags};

// EXT_ARG (5.11): a wait with a time limit that is not itself a request. NODROP: no lost
// completion.
constexpr std::uint32_t kNeededFeatures = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;

// liburing maps and unmaps past the C library, so that TSan does not see that a ring stands where
// another thread's stood: it has to be told that the one was closed before the other was opened.
std::atomic<std::uint64_t> closed_rings{0};

Error refusal(int error) {
  Error result = os_error(error, "set up io_uring", "");
  switch (error) {
    case EPERM:
    case EACCES:
      result.expected =
          "io_uring allowed: a container's seccomp filter or sysctl "
          "kernel.io_uring_disabled forbids it";
      break;
    case ENOSYS:
      result.expected = "a kernel with io_uring: it is missing or a seccomp filter hides it";
      break;
    case ENOMEM:
      result.expected = "memory for a ring: raise RLIMIT_MEMLOCK (ulimit -l)";
      break;
    case EMFILE:  // os_error() names the limit
    case ENFILE:
      break;
    default:
      result.expected = "kernel 5.11 or newer";
      break;
  }
  return result;
}

}  // namespace

Result<std::unique_ptr<UringRing>> UringRing::open(std::uint32_t entries, bool one_thread) {
  std::unique_ptr<UringRing> self(new UringRing);
  int error = EINVAL;
  io_uring_params params{};
  for (const std::uint32_t flags : std::span(kLadder).subspan(one_thread ? 0 : 1)) {
    params = {};
    params.flags = flags;
    error = -io_uring_queue_init_params(entries, &self->ring_, &params);
    if (error != EINVAL) break;  // EINVAL: a flag this kernel does not know
  }
  if (error != 0) return fail(refusal(error));
  static_cast<void>(closed_rings.load(std::memory_order_acquire));
  self->open_ = true;
  self->one_thread_ = (params.flags & IORING_SETUP_SINGLE_ISSUER) != 0;
  self->capacity_ = std::min({entries, params.sq_entries, params.cq_entries});
  if ((params.features & kNeededFeatures) != kNeededFeatures) return fail(refusal(EINVAL));

  // A filter may allow the set-up and forbid the use. A disabled ring answers EBADFD, no other way.
  const int probe = io_uring_enter(static_cast<unsigned>(self->ring_.ring_fd), 0, 0, 0, nullptr);
  if (probe < 0 && probe != -EBADFD) return fail(refusal(-probe));
  return self;
}

UringRing::~UringRing() {
  if (!open_) return;
  closed_rings.fetch_add(1, std::memory_order_release);
  io_uring_queue_exit(&ring_);
}

Status UringRing::start() {
  if (!one_thread_) return {};
  // Not io_uring_enable_rings: liburing 2.3 declares it and does not export it.
  const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                       IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) return fail(os_error(-result, "enable io_uring", ""));
  return {};
}

bool UringRing::register_files(std::span<const int> fds) {
  return !fds.empty() &&
         io_uring_register_files(&ring_, fds.data(), static_cast<unsigned>(fds.size())) == 0;
}

bool UringRing::register_memory(std::span<std::byte> memory) {
  const iovec whole{.iov_base = memory.data(), .iov_len = memory.size()};
  memory_registered_ = !memory.empty() && io_uring_register_buffers(&ring_, &whole, 1) == 0;
  return memory_registered_;
}

void UringRing::release_memory() {
  // Refused to another thread than a one-thread ring's own; the kernel does it later then.
  if (std::exchange(memory_registered_, false)) io_uring_unregister_buffers(&ring_);
}

int UringRing::submit() {
  while (unsubmitted() > 0) {
    // One enter may take fewer than were prepared: the count decides, not the success.
    const int taken = io_uring_submit(&ring_);
    if (taken < 0) return -taken;
    if (taken == 0) return EAGAIN;
  }
  return 0;
}

int UringRing::flush_completions() { return std::max(0, -io_uring_get_events(&ring_)); }

int UringRing::wait(std::uint32_t count, std::int64_t timeout_us) {
  __kernel_timespec limit{.tv_sec = timeout_us / 1'000'000,
                          .tv_nsec = timeout_us % 1'000'000 * 1'000};
  io_uring_getevents_arg arg{};
  if (timeout_us >= 0) arg.ts = reinterpret_cast<std::uint64_t>(&limit);
  // EXT_ARG passes the structure in the place of a signal set.
  const int result = io_uring_enter2(static_cast<unsigned>(ring_.ring_fd), 0, count,
                                     IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                                     reinterpret_cast<sigset_t*>(&arg), sizeof arg);
  return std::max(0, -result);
}

std::uint32_t UringRing::take(std::span<RingDone> into) {
  std::uint32_t count = 0;
  io_uring_cqe* cqe = nullptr;
  // The peek enters the kernel by itself when completions wait there (TASKRUN_FLAG, overflow).
  while (count < into.size() && io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
    into[count++] = {.user_data = cqe->user_data, .result = cqe->res};
    io_uring_cqe_seen(&ring_, cqe);
  }
  return count;
}

}  // namespace cairn::io
