// What a partial result of a read means. One definition for the file, the thread pool and the
// ring, so that every backend answers the same for a short read, an early end and a retry.
#pragma once

#include <cerrno>
#include <cstdint>

namespace cairn::io {

/// One whole read under way. `advance` takes each result of the operating system in turn.
class ReadProgress {
 public:
  enum class Step : std::uint8_t { finished, again, failed };

  ReadProgress() = default;
  /// `file_bytes` is the length at open; `alignment_bytes` that of ReadFile (1: buffered).
  ReadProgress(std::uint64_t offset, std::uint64_t bytes, std::uint64_t file_bytes,
               std::uint32_t alignment_bytes)
      : offset_(offset), bytes_(bytes), file_bytes_(file_bytes), alignment_(alignment_bytes) {}

  /// `result`: bytes read at next_offset(), or a negative errno value.
  Step advance(std::int64_t result) {
    if (result < 0) {
      const int error = static_cast<int>(-result);
      const bool transient = error == EINTR || error == EAGAIN;
      return transient && ++stalls_ < kStallsMax ? Step::again : stop(error);
    }
    const std::uint64_t reached = done_ + static_cast<std::uint64_t>(result);
    if (reached >= bytes_) {
      done_ = bytes_;
      return Step::finished;
    }
    if (result == 0 || offset_ + reached >= file_bytes_) return end_early(reached);
    // O_DIRECT refuses to go on from an unaligned place: read the started unit again.
    const std::uint64_t kept = reached - reached % alignment_;
    if (kept > done_) stalls_ = 0;
    if (kept == done_ && ++short_stalls_ >= kShortStallsMax) return end_early(reached);
    done_ = kept;
    return Step::again;
  }

  std::uint64_t done() const { return done_; }
  std::uint64_t next_offset() const { return offset_ + done_; }
  std::uint64_t remaining() const { return bytes_ - done_; }
  /// 0, or why it failed; EIO for an early end.
  int error() const { return error_; }
  /// The file ended before the read was full.
  bool ended_early() const { return ended_early_; }

 private:
  // Results in a row that bring nothing. The kernel does not return EAGAIN for ever on a regular
  // file; a sandbox may, and must not hang us.
  static constexpr std::uint32_t kStallsMax = 1000;

  // Short reads in a row that do not pass a boundary: the file was cut after it was opened.
  static constexpr std::uint32_t kShortStallsMax = 4;

  Step stop(int error) {
    error_ = error;
    return Step::failed;
  }
  Step end_early(std::uint64_t reached) {
    done_ = reached;
    ended_early_ = true;
    return stop(EIO);
  }

  std::uint64_t offset_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint32_t alignment_ = 1;
  std::uint32_t stalls_ = 0;
  std::uint32_t short_stalls_ = 0;
  int error_ = 0;
  bool ended_early_ = false;
};

}  // namespace cairn::io
