#include "io/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/os_error.h"

namespace cairn::io {
namespace {

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(std::string path, OwnedFd fd, std::uint64_t bytes, std::uint32_t alignment)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_(bytes), alignment_(alignment) {}

  Status read(std::uint64_t offset, std::span<std::byte> into) const override {
    const auto address = reinterpret_cast<std::uintptr_t>(into.data());
    if ((offset | into.size() | address) % alignment_ != 0)
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "unaligned direct read of",
                   .file = path_,
                   .expected = "offset, length and memory in units of " +
                               std::to_string(alignment_) + " bytes"});
    if (into.empty()) return {};
    ReadProgress progress(offset, into.size(), bytes_, alignment_);
    const int error = pread_whole(fd_.get(), progress, into.data());
    if (error == 0) return {};
    if (!progress.ended_early()) return fail(os_error(error, "read", path_));
    return fail({.code = ErrorCode::corrupt,
                 .what = "early end of file reading at " + std::to_string(offset) + " of",
                 .file = path_,
                 .found = std::to_string(progress.done()) + " bytes",
                 .expected = std::to_string(into.size()) + " bytes"});
  }

  std::uint64_t bytes() const override { return bytes_; }
  const std::string& path() const override { return path_; }
  int fd() const override { return fd_.get(); }
  std::uint32_t alignment_bytes() const override { return alignment_; }

 private:
  std::string path_;
  OwnedFd fd_;
  std::uint64_t bytes_;
  std::uint32_t alignment_;
};

}  // namespace

std::uint32_t direct_alignment_for(std::uint32_t offset_align, std::uint32_t memory_align) {
  if (offset_align == 0 || memory_align == 0) return 0;
  return std::max(offset_align, memory_align) <= kDirectAlignment ? kDirectAlignment : 0;
}

std::uint32_t direct_alignment(int fd) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 ||
      (info.stx_mask & STATX_DIOALIGN) == 0)
    return kDirectAlignment;  // kernel before 6.1, or a file system that does not say
  return direct_alignment_for(info.stx_dio_offset_align, info.stx_dio_mem_align);
}

void OwnedFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

bool set_file_status(int fd, int flags, bool on) {
  const int status = ::fcntl(fd, F_GETFL, 0);
  return status >= 0 && ::fcntl(fd, F_SETFL, on ? status | flags : status & ~flags) == 0;
}

int pread_whole(int fd, ReadProgress& progress, std::byte* into) {
  for (;;) {
    const ssize_t n = ::pread(fd, into + progress.done(), progress.remaining(),
                              static_cast<off_t>(progress.next_offset()));
    switch (progress.advance(n < 0 ? -errno : n)) {
      case ReadProgress::Step::finished:
        return 0;
      case ReadProgress::Step::failed:
        return progress.error();
      case ReadProgress::Step::again:
        break;
    }
  }
}

tl::unexpected<Error> not_regular(const std::string& path) {
  return fail({.code = ErrorCode::invalid_argument, .what = "not a regular file:", .file = path});
}

Result<std::unique_ptr<ReadFile>> open_posix_file(const std::string& path, bool direct) {
  // O_NONBLOCK: a FIFO put in the place of a file must not hang the open.
  const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  OwnedFd fd(::open(path.c_str(), flags | (direct ? O_DIRECT : 0)));
  if (!fd.valid() && direct && (errno == EINVAL || errno == EOPNOTSUPP)) {
    direct = false;
    fd.reset(::open(path.c_str(), flags));
  }
  if (!fd.valid()) return fail(os_error(errno, "open", path));

  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(os_error(errno, "stat", path));
  if (!S_ISREG(info.st_mode)) return not_regular(path);

  const std::uint32_t alignment = direct ? direct_alignment(fd.get()) : 1;
  // io_uring would answer EAGAIN for a descriptor that is left non-blocking.
  if (!set_file_status(fd.get(), O_NONBLOCK | (alignment == 0 ? O_DIRECT : 0), false))
    return fail(os_error(errno, "open", path));
  return std::make_unique<PosixReadFile>(path, std::move(fd),
                                         static_cast<std::uint64_t>(info.st_size),
                                         std::max<std::uint32_t>(alignment, 1));
}

}  // namespace cairn::io
