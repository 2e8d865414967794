// Asynchronous block reads from a fixed set of immutable files. One Device serves one thread (one
// ring per context); any number of devices may read the same files. Four implementations: io_uring,
// a pool of pread threads, a synchronous one, and the simulated one of tests/sim.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/aligned_buffer.h"
#include "io/fs.h"

namespace cairn::io {

enum class Backend : std::uint8_t { automatic, uring, pread, sync };
std::string_view backend_name(Backend backend);

inline constexpr std::uint32_t kReadBytesMax = std::uint32_t{1} << 30;
inline constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 62;

/// Reads are whole: offset, bytes and buffer are multiples of the file's alignment. At most
/// kReadBytesMax bytes.
struct ReadOp {
  std::uint32_t file = 0;  // index into the files given at creation
  std::uint32_t bytes = 0;
  std::uint64_t offset = 0;
  std::byte* buffer = nullptr;
  std::uint64_t tag = 0;  // returned with the completion; the caller's
};

struct ReadDone {
  std::uint64_t tag = 0;
  std::int32_t error = 0;  // 0: all bytes were read; else an errno value; EIO for an early end
};

/// Not thread-safe. The thread that submits first owns the device: it alone submits, reaps and
/// destroys (io_uring delivers completions to one thread only), which need not be the thread that
/// made the device. DeviceOptions::any_thread lifts this. Destruction drains: no buffer is written
/// afterwards - unless drain() would be false.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::uint32_t depth() const = 0;      // most reads in flight
  virtual std::uint32_t in_flight() const = 0;  // submitted and not yet reaped
  /// Starts ops[0..n) in order and returns n = min(ops.size(), depth() - in_flight()).
  /// An error starts nothing: invalid_argument if any of `ops` is unaligned, empty or names no
  /// file, or the thread does not own the device; ErrorCode::io once the ring is unusable (reads
  /// in flight are still reaped, those the kernel never took with their errno value).
  /// Short reads, EAGAIN, EINTR and CQ pressure are handled inside, a bounded number of times.
  virtual Result<std::uint32_t> submit(std::span<const ReadOp> ops) = 0;
  /// Collects finished reads, in any order; blocks until at least min(wait_min, in_flight(),
  /// done.size()) are collected, or `timeout_us` has passed (negative: no limit; 0: only looks).
  /// Returns how many entries of `done` were filled. ErrorCode::io, naming the file, once a read
  /// has been in flight for longer than DeviceOptions::read_timeout_us: the device is stuck.
  virtual Result<std::uint32_t> reap(std::span<ReadDone> done, std::uint32_t wait_min,
                                     std::int64_t timeout_us) = 0;
  /// Whether a read did not come back in time. Nothing more is read then, and the system may still
  /// write to the buffers of all reads in flight.
  virtual bool stuck() const = 0;
  /// Ends the device: starts nothing more, drops what comes back and waits for it within the time
  /// limit of reads, not at all when stuck. False when the system may still write to the buffers of
  /// reads in flight: they must stay where they are for the life of the process. See DeviceMemory.
  virtual bool drain() = 0;
  /// Whether submit() takes reads: not when stuck, nor once the ring is unusable - of which reads
  /// that were in flight need not have told.
  virtual bool usable() const = 0;
  virtual Backend backend() const = 0;
};

inline constexpr std::uint32_t kDeviceDepthMax = 4096;

struct DeviceOptions {
  Backend backend = Backend::automatic;  // automatic: io_uring if the kernel allows it, else pread
  std::uint32_t depth = 64;              // 1 to kDeviceDepthMax
  std::uint32_t pread_threads = 8;       // for the pread backend; at most `depth` are started
  /// The device may be handed from thread to thread while nothing is in flight, and destroyed by
  /// any. Costs io_uring its SINGLE_ISSUER | DEFER_TASKRUN mode.
  bool any_thread = false;
  /// How long a read may be in flight before the device counts as stuck; 0: without a limit. Seen
  /// by reap(), 10 to 20 ms late. The sync backend reads on the calling thread, and waits for as
  /// long as the kernel does.
  std::int64_t read_timeout_us = std::int64_t{kReadTimeoutMs} * 1000;
  /// Memory that most reads go to, page-aligned, outliving the device; at most 1 GiB. io_uring
  /// registers it and reads whose buffer lies inside skip the page lookup; where registration is
  /// refused (RLIMIT_MEMLOCK) and for other backends it has no effect.
  std::span<std::byte> arena = {};
};

/// A device and the memory that its reads go to. Drains the device first, and leaves the memory
/// behind when something may still write to it.
struct DeviceMemory {
  AlignedBuffer memory;
  std::unique_ptr<Device> device;

  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  ~DeviceMemory() {
    if (device != nullptr && !device->drain()) memory.leave();
    device.reset();
  }
};

/// The real device behind posix_fs().make_device(): `files` come from posix_fs() and must outlive
/// it. With Backend::automatic a refused io_uring falls back to the pread pool, with identical
/// results; `fallback_reason`, if not null, then receives one line that says why, else "". An
/// explicit Backend::uring that the kernel refuses is an error that names the likely cause.
Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const> files,
                                            const DeviceOptions& options,
                                            std::string* fallback_reason);

}  // namespace cairn::io
