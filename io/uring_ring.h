// One io_uring: set-up through a ladder of modes, registration of files and memory, and the few
// system calls the device needs, with every errno they may give.
#pragma once

#include <cairn/result.h>
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace cairn::io {

/// A completion as the kernel posts it: the request's user data, bytes read or -errno.
struct RingDone {
  std::uint64_t user_data;
  std::int32_t result;
};

/// Not thread-safe. See UringRing::open for which thread may use it.
class UringRing {
 public:
  /// A ring with room for `entries` reads. With `one_thread` it is first tried as
  /// SINGLE_ISSUER | DEFER_TASKRUN (kernel 6.1), created disabled so that the thread that calls
  /// start() becomes its issuer; else, or where refused, COOP_TASKRUN (5.19), else plain (5.11).
  /// The error names the likely cause: seccomp, sysctl, memlock, descriptors, an old kernel.
  static Result<std::unique_ptr<UringRing>> open(std::uint32_t entries, bool one_thread);
  ~UringRing();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  /// Binds the ring to the calling thread. Call once, before the first submit.
  Status start();

  /// Fixed files and a fixed buffer: false where the kernel refuses, and plain reads serve.
  bool register_files(std::span<const int> fds);
  bool register_memory(std::span<std::byte> memory);
  /// Gives registered memory back at once; waits for reads that use it. Without it, pages stay
  /// pinned until the kernel comes to clear the ring away: minutes on a busy machine.
  void release_memory();

  /// Most reads that may be in flight: never more than the completion queue holds.
  std::uint32_t capacity() const { return capacity_; }
  bool one_thread() const { return one_thread_; }

  /// Null when the submission queue is full.
  io_uring_sqe* next_sqe() { return io_uring_get_sqe(&ring_); }
  std::uint32_t unsubmitted() const { return io_uring_sq_ready(&ring_); }

  /// Hands all prepared reads to the kernel, counting what it took. Returns 0, or the errno value
  /// that stopped it; EAGAIN and EBUSY mean that the rest stays prepared and may be tried again.
  int submit();
  /// Lets the kernel post completions it holds back, without waiting. 0 or an errno value.
  int flush_completions();
  /// Waits for `count` completions in the queue or for `timeout_us` (negative: no limit).
  /// Returns 0, ETIME, EINTR or another errno value.
  int wait(std::uint32_t count, std::int64_t timeout_us);

  /// Copies and consumes up to into.size() completions that are in the queue.
  std::uint32_t take(std::span<RingDone> into);

 private:
  UringRing() = default;

  io_uring ring_{};
  std::uint32_t capacity_ = 0;
  bool one_thread_ = false;
  bool open_ = false;
  bool memory_registered_ = false;
};

}  // namespace cairn::io
