// The doubles of the calls that io/ makes on files. Each counts itself and goes wrong as planned.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "tests/reliability/os_faults_plan.h"

namespace cairn::os_faults {
namespace {

std::mutex hung_mutex;
std::condition_variable hung_cv;
std::uint64_t releases = 0;

void hang() {
  std::unique_lock lock(hung_mutex);
  hung_cv.wait(lock, [before = releases] { return releases != before; });
}

/// Whether the call fails without having been made; errno is set then.
bool fails(Call call, const void* site, const Target& target) {
  const auto kind = next_call(call, site, target);
  if (!kind || errno_of(*kind) == 0) return false;
  errno = errno_of(*kind);
  return true;
}

}  // namespace

void release_files() {
  const std::lock_guard lock(hung_mutex);
  ++releases;
  hung_cv.notify_all();
}

int errno_of(Kind kind) {
  switch (kind) {
    case Kind::eio:
      return EIO;
    case Kind::enospc:
      return ENOSPC;
    case Kind::eagain:
      return EAGAIN;
    case Kind::einval:
      return EINVAL;
    case Kind::eintr:
      return EINTR;
    case Kind::enomem:
      return ENOMEM;
    default:
      return 0;
  }
}

}  // namespace cairn::os_faults

using namespace cairn::os_faults;

// Names that the linker gives: see --wrap. Where the program calls x it gets __wrap_x.
#define CAIRN_SITE __builtin_return_address(0)

extern "C" {

int __real_open64(const char* path, int flags, ...);
int __real_close(int fd);
int __real_fcntl64(int fd, int command, ...);
int __real_fstat64(int fd, struct stat64* into);
int __real_stat64(const char* path, struct stat64* into);
int __real_lstat64(const char* path, struct stat64* into);
int __real_statx(int folder, const char* path, int flags, unsigned mask, struct statx* into);
int __real_statvfs64(const char* path, struct statvfs64* into);
ssize_t __real_pread64(int fd, void* into, size_t bytes, off64_t offset);
ssize_t __real_pwrite64(int fd, const void* from, size_t bytes, off64_t offset);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_ftruncate64(int fd, off64_t bytes);
int __real_mkdir(const char* path, mode_t mode);
int __real_rename(const char* from, const char* to);
int __real_renameat2(int from_folder, const char* from, int to_folder, const char* to,
                     unsigned flags);
int __real_remove(const char* path);
ssize_t __real_read(int fd, void* into, size_t bytes);
off64_t __real_lseek64(int fd, off64_t offset, int from);
gzFile __real_gzdopen(int fd, const char* mode);
DIR* __real_opendir(const char* path);
struct dirent64* __real_readdir64(DIR* folder);
void* __real_mmap64(void* at, size_t bytes, int access, int flags, int fd, off64_t offset);

int __wrap_open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return fails(Call::open_file, CAIRN_SITE, {.path = path}) ? -1 : __real_open64(path, flags, mode);
}

// The descriptor is gone whatever close says, as on Linux.
int __wrap_close(int fd) {
  const auto kind = next_call(Call::close_file, CAIRN_SITE, {.fd = fd});
  const int result = __real_close(fd);
  if (!kind || errno_of(*kind) == 0) return result;
  errno = errno_of(*kind);
  return -1;
}

// Commands take a number or a pointer, and both fit.
int __wrap_fcntl64(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* const value = va_arg(rest, void*);
  va_end(rest);
  return fails(Call::file_control, CAIRN_SITE, {.fd = fd}) ? -1
                                                           : __real_fcntl64(fd, command, value);
}

int __wrap_fstat64(int fd, struct stat64* into) {
  return fails(Call::file_status, CAIRN_SITE, {.fd = fd}) ? -1 : __real_fstat64(fd, into);
}
int __wrap_stat64(const char* path, struct stat64* into) {
  return fails(Call::file_status, CAIRN_SITE, {.path = path}) ? -1 : __real_stat64(path, into);
}
int __wrap_lstat64(const char* path, struct stat64* into) {
  return fails(Call::file_status, CAIRN_SITE, {.path = path}) ? -1 : __real_lstat64(path, into);
}
int __wrap_statx(int folder, const char* path, int flags, unsigned mask, struct statx* into) {
  return fails(Call::file_status, CAIRN_SITE, {.fd = folder})
             ? -1
             : __real_statx(folder, path, flags, mask, into);
}
int __wrap_statvfs64(const char* path, struct statvfs64* into) {
  return fails(Call::file_system_status, CAIRN_SITE, {.path = path}) ? -1
                                                                     : __real_statvfs64(path, into);
}

ssize_t __wrap_pread64(int fd, void* into, size_t bytes, off64_t offset) {
  const auto kind = next_call(Call::read_file, CAIRN_SITE, {.fd = fd});
  if (!kind) return __real_pread64(fd, into, bytes, offset);
  const auto apart = static_cast<off64_t>(bytes);
  switch (*kind) {
    case Kind::short_count:
      return __real_pread64(fd, into, std::max<size_t>(1, bytes / 2), offset);
    case Kind::wrong_block:
      return __real_pread64(fd, into, bytes, offset >= apart ? offset - apart : offset + apart);
    case Kind::late:
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      return __real_pread64(fd, into, bytes, offset);
    case Kind::lost:
      hang();
      return __real_pread64(fd, into, bytes, offset);
    default:
      errno = errno_of(*kind);
      return -1;
  }
}

ssize_t __wrap_read(int fd, void* into, size_t bytes) {
  const auto kind = next_call(Call::read_stream, CAIRN_SITE, {.fd = fd});
  if (!kind) return __real_read(fd, into, bytes);
  if (errno_of(*kind) != 0) {
    errno = errno_of(*kind);
    return -1;
  }
  if (*kind == Kind::late) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  return __real_read(fd, into, *kind == Kind::short_count ? std::max<size_t>(1, bytes / 2) : bytes);
}
off64_t __wrap_lseek64(int fd, off64_t offset, int from) {
  return fails(Call::file_control, CAIRN_SITE, {.fd = fd}) ? -1 : __real_lseek64(fd, offset, from);
}
// What zlib reads it reads by itself, and a descriptor it refuses only for want of memory.
gzFile __wrap_gzdopen(int fd, const char* mode) {
  return fails(Call::open_packed, CAIRN_SITE, {.fd = fd}) ? nullptr : __real_gzdopen(fd, mode);
}

ssize_t __wrap_pwrite64(int fd, const void* from, size_t bytes, off64_t offset) {
  const auto kind = next_call(Call::write_file, CAIRN_SITE, {.fd = fd});
  if (!kind) return __real_pwrite64(fd, from, bytes, offset);
  if (*kind == Kind::short_count)
    return __real_pwrite64(fd, from, std::max<size_t>(1, bytes / 2), offset);
  errno = errno_of(*kind);
  return -1;
}

// A sync that fails has been made: whether the data is there is not known to the caller.
int __wrap_fdatasync(int fd) {
  return fails(Call::sync_file, CAIRN_SITE, {.fd = fd}) ? -1 : __real_fdatasync(fd);
}
int __wrap_fsync(int fd) {
  return fails(Call::sync_file, CAIRN_SITE, {.fd = fd}) ? -1 : __real_fsync(fd);
}
int __wrap_ftruncate64(int fd, off64_t bytes) {
  return fails(Call::cut_file, CAIRN_SITE, {.fd = fd}) ? -1 : __real_ftruncate64(fd, bytes);
}
int __wrap_mkdir(const char* path, mode_t mode) {
  return fails(Call::make_folder, CAIRN_SITE, {.path = path}) ? -1 : __real_mkdir(path, mode);
}
int __wrap_rename(const char* from, const char* to) {
  return fails(Call::rename_entry, CAIRN_SITE, {.path = from, .to = to}) ? -1
                                                                         : __real_rename(from, to);
}
int __wrap_renameat2(int from_folder, const char* from, int to_folder, const char* to,
                     unsigned flags) {
  return fails(Call::rename_new_entry, CAIRN_SITE, {.path = from, .to = to})
             ? -1
             : __real_renameat2(from_folder, from, to_folder, to, flags);
}
DIR* __wrap_opendir(const char* path) {
  return fails(Call::open_file, CAIRN_SITE, {.path = path}) ? nullptr : __real_opendir(path);
}
struct dirent64* __wrap_readdir64(DIR* folder) {
  return fails(Call::list_folder, CAIRN_SITE, {.fd = ::dirfd(folder)}) ? nullptr
                                                                       : __real_readdir64(folder);
}
void* __wrap_mmap64(void* at, size_t bytes, int access, int flags, int fd, off64_t offset) {
  return fails(Call::map_memory, CAIRN_SITE, {})
             ? MAP_FAILED
             : __real_mmap64(at, bytes, access, flags, fd, offset);
}
int __wrap_remove(const char* path) {
  return fails(Call::remove_entry, CAIRN_SITE, {.path = path}) ? -1 : __real_remove(path);
}

// std::thread::_M_start_thread, which calls the system inside of the standard library.
using ThreadState = std::unique_ptr<std::thread::_State>;
void __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
    std::thread* thread, ThreadState state, void (*depend)());
void __wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
    std::thread* thread, ThreadState state, void (*depend)()) {
  if (fails(Call::start_thread, CAIRN_SITE, {}))
    throw std::system_error(errno, std::generic_category());
  __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
      thread, std::move(state), depend);
}

}  // extern "C"
