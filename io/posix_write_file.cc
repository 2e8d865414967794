#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "io/aligned_buffer.h"
#include "io/os_error.h"
#include "io/posix_file.h"

namespace cairn::io {
namespace {

constexpr std::size_t kBounceBytes = std::size_t{1} << 20;

class PosixWriteFile final : public WriteFile {
 public:
  PosixWriteFile(std::string path, OwnedFd fd, std::uint64_t length, WriteMode mode)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_written_(length) {
    // Not asked for in the open: one that creates a file and is refused for O_DIRECT has made the
    // file all the same.
    takes_direct_ = mode == WriteMode::direct && direct_alignment(fd_.get()) != 0 &&
                    set_file_status(fd_.get(), O_DIRECT, true);
    is_direct_ = takes_direct_;
  }

  Status append(std::span<const std::byte> bytes) override {
    CAIRN_TRY(usable());
    while (!bytes.empty()) {
      std::span<const std::byte> next = bytes;
      if (takes_direct_) CAIRN_TRY(choose_write(next));
      // At an explicit offset: kernels have misplaced O_DIRECT appends after a size update.
      const ssize_t n =
          ::pwrite(fd_.get(), next.data(), next.size(), static_cast<off_t>(bytes_written_));
      if (n < 0 && errno == EINTR) continue;
      // A limit in the middle of a unit cuts the write short, and what is left is refused direct.
      if (n < 0 && errno == EINVAL && is_direct_ && set_file_status(fd_.get(), O_DIRECT, false)) {
        takes_direct_ = is_direct_ = false;
        continue;
      }
      if (n <= 0) return poison(os_error(n < 0 ? errno : EIO, "append to", path_));
      bytes_written_ += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  Status sync() override {
    CAIRN_TRY(usable());
    // Not even EINTR is retried: a page that was marked clean would be taken for written.
    if (::fdatasync(fd_.get()) != 0) return poison(os_error(errno, "sync", path_));
    return {};
  }

  Status close() override {
    CAIRN_TRY(usable());
    // The descriptor is gone whatever close returns, also after EINTR.
    if (::close(fd_.release()) != 0 && errno != EINTR)
      return poison(os_error(errno, "close", path_));
    return {};
  }

  std::uint64_t bytes_written() const override { return bytes_written_; }

 private:
  Status usable() const {
    if (first_error_) return fail(*first_error_);
    if (!fd_.valid())
      return fail({.code = ErrorCode::invalid_argument, .what = "file is closed", .file = path_});
    return {};
  }
  Status poison(Error error) {
    first_error_ = std::move(error);
    return fail(*first_error_);
  }

  /// Cuts `bytes` to what one write can take, and turns direct writes on or off for it: whole units
  /// at the place of a unit go direct, from aligned memory, and anything else through the cache.
  Status choose_write(std::span<const std::byte>& bytes) {
    const std::size_t inside = bytes_written_ % kDirectAlignment;
    const bool direct = inside == 0 && bytes.size() >= kDirectAlignment;
    if (!direct) {
      bytes = bytes.first(std::min(bytes.size(), kDirectAlignment - inside));
    } else {
      bytes = bytes.first(bytes.size() / kDirectAlignment * kDirectAlignment);
      if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectAlignment != 0)
        CAIRN_TRY(bounce(bytes));
    }
    if (direct != is_direct_ && !set_file_status(fd_.get(), O_DIRECT, direct))
      return poison(os_error(errno, "append to", path_));
    is_direct_ = direct;
    return {};
  }

  Status bounce(std::span<const std::byte>& bytes) {
    if (bounce_.size() == 0) {
      auto made = AlignedBuffer::create(kBounceBytes);
      if (!made) return poison(std::move(made).error().in_file(path_));
      bounce_ = std::move(*made);
    }
    const auto used = bounce_.bytes().first(std::min(bytes.size(), bounce_.size()));
    std::memcpy(used.data(), bytes.data(), used.size());
    bytes = used;
    return {};
  }

  std::string path_;
  OwnedFd fd_;
  std::uint64_t bytes_written_;
  bool takes_direct_ = false;
  bool is_direct_ = false;  // of the descriptor, now
  AlignedBuffer bounce_;
  std::optional<Error> first_error_;
};

}  // namespace

Result<std::unique_ptr<WriteFile>> create_posix_file(const std::string& path, WriteMode mode) {
  OwnedFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(os_error(errno, "create", path));
  return std::make_unique<PosixWriteFile>(path, std::move(fd), 0, mode);
}

Result<std::unique_ptr<WriteFile>> reopen_posix_file(const std::string& path, std::uint64_t length,
                                                     WriteMode mode) {
  // O_NONBLOCK: a FIFO put in the place of a file must not hang the open; without a reader it is
  // refused with ENXIO.
  OwnedFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno == ENXIO) return not_regular(path);
  if (!fd.valid()) return fail(os_error(errno, "reopen", path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(os_error(errno, "stat", path));
  if (!S_ISREG(info.st_mode)) return not_regular(path);
  const auto there = static_cast<std::uint64_t>(info.st_size);
  if (there < length)
    return fail({.code = ErrorCode::corrupt,
                 .what = "length of",
                 .file = path,
                 .found = std::to_string(there) + " bytes",
                 .expected = "at least " + std::to_string(length)});
  int cut = 0;
  do {
    cut = there == length ? 0 : ::ftruncate(fd.get(), static_cast<off_t>(length));
  } while (cut != 0 && errno == EINTR);
  if (cut != 0) return fail(os_error(errno, "truncate", path));
  if (!set_file_status(fd.get(), O_NONBLOCK, false)) return fail(os_error(errno, "reopen", path));
  return std::make_unique<PosixWriteFile>(path, std::move(fd), length, mode);
}

}  // namespace cairn::io
