#include "io/aligned_buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <limits>
#include <string>

namespace cairn::io {

Result<AlignedBuffer> AlignedBuffer::create(std::size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  const Error refused{.code = ErrorCode::out_of_memory,
                      .what = "allocate " + std::to_string(bytes) + " bytes for reads"};
  if (bytes > std::numeric_limits<std::size_t>::max() - kIoAlignment) return fail(refused);
  const std::size_t rounded = (bytes + kIoAlignment - 1) / kIoAlignment * kIoAlignment;
  void* memory =
      ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(refused);
  buffer.bytes_ = {static_cast<std::byte*>(memory), rounded};
  return buffer;
}

Result<AlignedBuffer> AlignedBuffer::create_huge(std::size_t bytes) {
  CAIRN_ASSIGN(AlignedBuffer buffer, create(bytes));
  // Advice: a kernel without huge pages serves small ones.
  if (bytes != 0) ::madvise(buffer.data(), buffer.size(), MADV_HUGEPAGE);
  return buffer;
}

Status AlignedBuffer::populate() {
  if (bytes_.empty()) return {};
#ifdef MADV_POPULATE_WRITE
  if (::madvise(data(), size(), MADV_POPULATE_WRITE) == 0) return {};
  if (errno == ENOMEM) return fail(ErrorCode::out_of_memory, "populate memory");
#endif
  // Kernels before 5.14: one write a page.
  for (std::size_t at = 0; at < size(); at += kIoAlignment)
    static_cast<volatile std::byte*>(data())[at] = std::byte{0};
  return {};
}

AlignedBuffer::~AlignedBuffer() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace cairn::io
