#include "io/posix_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "io/os_error.h"

namespace cairn::io {
namespace {

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(OwnedFd fd) : fd_(std::move(fd)) {}

 private:
  OwnedFd fd_;  // closing it releases the lock
};

struct flock bytes_from(short type, std::uint64_t at, std::uint64_t count) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(at);
  range.l_len = static_cast<off_t>(count);
  return range;
}

struct flock one_byte(short type, std::uint64_t at) {
  return bytes_from(type, at, 1);
}

Status check_sequence(const std::string& path, std::uint64_t sequence) {
  if (sequence < kPinsEnd) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "pin of",
               .file = path,
               .found = "sequence " + std::to_string(sequence),
               .expected = "less than 2^62"});
}

Result<OwnedFd> open_existing(const std::string& path) {
  OwnedFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail(os_error(errno, "open for a pin", path));
  return fd;
}

Status set_lock(int fd, struct flock range, const std::string& path, std::string_view doing) {
  if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return {};
  const int cause = errno;
  Error error = os_error(cause, doing, path);
  if (cause == EAGAIN || cause == EACCES) error.code = ErrorCode::busy;
  return fail(std::move(error));
}

// Who holds a lock is only a hint for people: the file's text may be older than the holder.
std::string holder_text(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  std::string holder(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.find_first_not_of("pid 0123456789") == std::string::npos ? holder : "";
}

Result<bool> still_at(int fd, const std::string& path) {
  struct stat ours {
  }, there{};
  if (::fstat(fd, &ours) != 0) return fail(os_error(errno, "stat lock", path));
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return false;
    return fail(os_error(errno, "stat lock", path));
  }
  return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void write_holder(int fd) {
  const std::string text = "pid " + std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0) return;
  // A full disk does not take the lock away: the text is a hint.
  if (::pwrite(fd, text.data(), text.size(), 0) < 0) return;
}

}  // namespace

Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path) {
  OwnedFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (!fd.valid()) return fail(os_error(errno, "open lock", path));
  return lock_opened_file(std::move(fd), path);
}

Result<std::unique_ptr<FileLock>> lock_opened_file(OwnedFd fd, const std::string& path) {
  if (Status held = set_lock(fd.get(), one_byte(F_WRLCK, kPinsEnd), path, "lock"); !held) {
    Error error = std::move(held).error();
    if (const std::string holder = holder_text(fd.get());
        error.code == ErrorCode::busy && !holder.empty())
      error.found = "held by " + holder;
    return fail(std::move(error));
  }
  // The holder before may have removed the file between our open and our lock.
  CAIRN_ASSIGN(const bool still, still_at(fd.get(), path));
  if (!still)
    return fail({.code = ErrorCode::busy, .what = "lock", .file = path, .found = "a removed file"});
  write_holder(fd.get());
  return std::make_unique<PosixLock>(std::move(fd));
}

Result<std::unique_ptr<FileLock>> pin_posix_file(const std::string& path, std::uint64_t sequence) {
  CAIRN_TRY(check_sequence(path, sequence));
  CAIRN_ASSIGN(OwnedFd fd, open_existing(path));
  // A shared lock needs only read access, so a pin works on a read-only mount.
  CAIRN_TRY(set_lock(fd.get(), one_byte(F_RDLCK, sequence), path, "pin"));
  return std::make_unique<PosixLock>(std::move(fd));
}

Result<bool> posix_file_pinned(const std::string& path, std::uint64_t first, std::uint64_t count) {
  CAIRN_ASSIGN(OwnedFd fd, open_existing(path));
  if (count == 0) return false;  // to fcntl a length of 0 is all that follows
  CAIRN_TRY(check_sequence(path, first));
  CAIRN_TRY(check_sequence(path, first + count - 1));
  // Asks what would stop an exclusive lock; the question needs no write access.
  struct flock range = bytes_from(F_WRLCK, first, count);
  if (::fcntl(fd.get(), F_OFD_GETLK, &range) != 0)
    return fail(os_error(errno, "ask for pins of", path));
  return range.l_type != F_UNLCK;
}

}  // namespace cairn::io
