// Page-aligned memory for direct reads, straight from the kernel: zero-filled, and not counted
// against the process until it is touched.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <span>
#include <utility>

namespace cairn::io {

/// The unit of alignment of direct I/O; see ReadFile::alignment_bytes.
inline constexpr std::size_t kIoAlignment = 4096;

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// `bytes` rounded up to kIoAlignment; 0 gives an empty buffer. out_of_memory.
  static Result<AlignedBuffer> create(std::size_t bytes);
  /// The same in huge pages where the system has them: for memory that is read at random.
  static Result<AlignedBuffer> create_huge(std::size_t bytes);

  AlignedBuffer(AlignedBuffer&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer();

  /// Takes all of it from the system now, so that it is counted from the start. out_of_memory.
  Status populate();
  /// Gives the memory up without freeing it: somebody may write to it for ever. Empty afterwards.
  void leave() { bytes_ = {}; }

  std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace cairn::io
