// The operating system's files behind WriteFile and ReadFile.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "io/fs.h"
#include "io/read_progress.h"

namespace cairn::io {

/// Owns a file descriptor.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_;
};

/// The unit of O_DIRECT whatever the file system says: tmpfs takes misaligned reads that a 4Kn disk
/// refuses, and an index must not depend on where it was tested.
inline constexpr std::uint32_t kDirectAlignment = 4096;

/// Turns status flags such as O_DIRECT on or off; false, with errno set, when refused.
bool set_file_status(int fd, int flags, bool on);

/// pread until `progress` is finished or failed; returns 0 or an errno value.
int pread_whole(int fd, ReadProgress& progress, std::byte* into);

/// Alignment to keep to in direct reads of a file that names these; 0 when it takes none, or one
/// that blocks of 4 KiB do not have: to be read buffered.
std::uint32_t direct_alignment_for(std::uint32_t offset_align, std::uint32_t memory_align);

/// The same for an open file: 4096 where neither kernel nor file system says.
std::uint32_t direct_alignment(int fd);

tl::unexpected<Error> not_regular(const std::string& path);

/// See Fs::create, Fs::reopen and Fs::open.
Result<std::unique_ptr<WriteFile>> create_posix_file(const std::string& path, WriteMode mode);
Result<std::unique_ptr<WriteFile>> reopen_posix_file(const std::string& path, std::uint64_t length,
                                                     WriteMode mode);
Result<std::unique_ptr<ReadFile>> open_posix_file(const std::string& path, bool direct);

}  // namespace cairn::io
