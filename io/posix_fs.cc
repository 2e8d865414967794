#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "io/device.h"
#include "io/fs.h"
#include "io/os_error.h"
#include "io/posix_file.h"
#include "io/posix_lock.h"

namespace cairn::io {
namespace {

Status status_of(int result, std::string_view doing, const std::string& path) {
  if (result == 0) return {};
  return fail(os_error(errno, doing, path));
}

// NFS and older OpenZFS take no flag of renameat2. A plain rename of a folder replaces an empty
// folder at most, and that only when it appears between the look and the rename.
Status rename_where_flags_are_refused(const std::string& from, const std::string& to) {
  struct stat info {};
  if (::lstat(from.c_str(), &info) != 0) return fail(os_error(errno, "rename", from));
  if (!S_ISDIR(info.st_mode))
    return fail({.code = ErrorCode::unsupported,
                 .what = "this file system has no rename that keeps an existing target:",
                 .file = from});
  const bool taken = ::lstat(to.c_str(), &info) == 0;
  if (!taken && ::rename(from.c_str(), to.c_str()) == 0) return {};
  // A file that appeared in between is ENOTDIR, a folder with entries ENOTEMPTY or EEXIST.
  const int cause = taken ? EEXIST : errno;
  Error error = os_error(cause, "rename to '" + to + "'", from);
  if (cause == ENOTDIR && ::lstat(to.c_str(), &info) == 0) error.code = ErrorCode::already_exists;
  return fail(std::move(error));
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

class PosixFs final : public Fs {
 public:
  Result<std::unique_ptr<WriteFile>> create(const std::string& path, WriteMode mode) override {
    return create_posix_file(path, mode);
  }
  Result<std::unique_ptr<WriteFile>> reopen(const std::string& path, std::uint64_t length,
                                            WriteMode mode) override {
    return reopen_posix_file(path, length, mode);
  }
  Result<std::unique_ptr<ReadFile>> open(const std::string& path, bool direct) override {
    return open_posix_file(path, direct);
  }
  Status make_dir(const std::string& path) override {
    return status_of(::mkdir(path.c_str(), 0700), "make folder", path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return status_of(::rename(from.c_str(), to.c_str()), "rename to '" + to + "'", from);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    const int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (result != 0 && errno == EINVAL) return rename_where_flags_are_refused(from, to);
    return status_of(result, "rename to '" + to + "'", from);
  }
  Status sync_dir(const std::string& path) override {
    const OwnedFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return fail(os_error(errno, "open folder", path));
    return status_of(::fsync(fd.get()), "sync folder", path);
  }
  Status remove(const std::string& path) override {
    return status_of(std::remove(path.c_str()), "remove", path);
  }
  Result<bool> exists(const std::string& path) override {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail(os_error(errno, "look for", path));
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    // Not std::filesystem::directory_iterator: its increment ends the process without memory.
    const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
    if (!folder) return fail(os_error(errno, "list", path));
    std::vector<std::string> names;
    for (;;) {
      errno = 0;  // the end of the folder and an error look alike
      const dirent* const entry = ::readdir(folder.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail(os_error(errno, "list", path));
    std::sort(names.begin(), names.end());
    return names;
  }
  Result<std::uint64_t> file_bytes(const std::string& path) override {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return fail(os_error(errno, "measure", path));
    if (!S_ISREG(info.st_mode)) return not_regular(path);
    return static_cast<std::uint64_t>(info.st_size);
  }
  Result<std::uint64_t> free_bytes(const std::string& folder) override {
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) != 0)
      return fail(os_error(errno, "look for free space in", folder));
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return lock_posix_file(path);
  }
  Result<std::unique_ptr<FileLock>> pin(const std::string& path, std::uint64_t sequence) override {
    return pin_posix_file(path, sequence);
  }
  Result<bool> is_pinned(const std::string& path, std::uint64_t sequence) override {
    return posix_file_pinned(path, sequence, 1);
  }
  Result<bool> is_any_pinned(const std::string& path, std::uint64_t end) override {
    return posix_file_pinned(path, 0, end);
  }
  Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const> files,
                                              const DeviceOptions& options,
                                              std::string* fallback_reason) override {
    return io::make_device(files, options, fallback_reason);
  }
};

}  // namespace

Fs& posix_fs() {
  // Never destroyed: threads may still read while static objects go.
  static PosixFs* const fs = new PosixFs;
  return *fs;
}

}  // namespace cairn::io
