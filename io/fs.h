// The file system as Cairn sees it: the only door to files, so that tests can lose, tear, reorder
// and refuse. Nothing is overwritten in place: a file is created, appended, synced and closed, and
// becomes visible by a rename followed by a sync of its folder; one that was left unfinished is cut
// back to what was synced and goes on. A failed sync is never retried (the kernel may have marked
// the page clean): the writer is poisoned and returns its first error.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cairn::io {

class Device;          // io/device.h
struct DeviceOptions;  // io/device.h

/// Whether appended bytes go through the page cache.
enum class WriteMode : std::uint8_t {
  buffered,
  /// Past it (O_DIRECT) where the file system takes that, else buffered: a large file then neither
  /// evicts what others read nor counts against a memory limit. Best in long appends from memory
  /// aligned to 4096: other memory is copied through 1 MiB, and the parts of an append that are not
  /// whole 4096-byte units of the file go through the page cache.
  direct,
};

/// Append-only writer of one file. Not thread-safe.
class WriteFile {
 public:
  virtual ~WriteFile() = default;
  /// Appends all of `bytes` (short writes and EINTR are continued), of any length and alignment;
  /// they are the system's when it returns. After any error every later call returns that error.
  virtual Status append(std::span<const std::byte> bytes) = 0;
  /// fdatasync; once an error, always that error.
  virtual Status sync() = 0;
  /// Closes; does not sync. The destructor closes too and drops the error.
  virtual Status close() = 0;
  /// Length of the file: with Fs::reopen it begins at the length kept.
  virtual std::uint64_t bytes_written() const = 0;
};

/// Positional reads of one immutable file. Thread-safe.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  /// Fills all of `into` from `offset`; EINTR and short reads are continued. End of file before
  /// `into` is full is ErrorCode::corrupt ("found N bytes, expected M").
  virtual Status read(std::uint64_t offset, std::span<std::byte> into) const = 0;
  virtual std::uint64_t bytes() const = 0;
  virtual const std::string& path() const = 0;
  /// File descriptor for a real device; -1 for a simulated file.
  virtual int fd() const = 0;
  /// Required alignment of offset, length and memory: 4096 or the file system's for O_DIRECT,
  /// 1 when buffered.
  virtual std::uint32_t alignment_bytes() const = 0;
};

/// Holds a lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Fs {
 public:
  virtual ~Fs() = default;
  /// A new file, mode 0600 & ~umask, O_EXCL | O_NOFOLLOW | O_CLOEXEC. already_exists if it exists.
  virtual Result<std::unique_ptr<WriteFile>> create(const std::string& path, WriteMode mode) = 0;
  Result<std::unique_ptr<WriteFile>> create(const std::string& path) {
    return create(path, WriteMode::buffered);
  }
  /// An existing file, cut to its first `length` bytes, to append from there. O_NOFOLLOW;
  /// not_found, invalid_argument unless a regular file, corrupt (and untouched) when it is shorter.
  /// Only what was synced before is sure to be what it was.
  virtual Result<std::unique_ptr<WriteFile>> reopen(const std::string& path, std::uint64_t length,
                                                    WriteMode mode) = 0;
  /// O_RDONLY | O_NOFOLLOW | O_CLOEXEC. With `direct`, O_DIRECT where the file system takes it and
  /// buffered where it refuses (see alignment_bytes()).
  virtual Result<std::unique_ptr<ReadFile>> open(const std::string& path, bool direct) = 0;
  virtual Status make_dir(const std::string& path) = 0;  // already_exists if it exists
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces files
  /// rename that fails with already_exists if `to` exists (RENAME_NOREPLACE). Where the file system
  /// does not know that flag: unsupported for a file; a folder is renamed, and an empty folder that
  /// appears at `to` in the same moment is replaced.
  virtual Status rename_new(const std::string& from, const std::string& to) = 0;
  virtual Status sync_dir(const std::string& path) = 0;
  virtual Status remove(const std::string& path) = 0;  // a file, or an empty folder
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted
  /// Length of a file; a link is not followed. not_found, invalid_argument unless a regular file.
  virtual Result<std::uint64_t> file_bytes(const std::string& path) = 0;
  /// Room left to this process on the file system of `folder`; a quota may allow less.
  virtual Result<std::uint64_t> free_bytes(const std::string& folder) = 0;
  /// Exclusive advisory lock on a file created if needed; ErrorCode::busy when held elsewhere.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// Shared pin of byte `sequence` of an existing file (open-file-description lock; works on a
  /// read-only mount), sequence < 2^62. A deleter asks is_any_pinned() first.
  virtual Result<std::unique_ptr<FileLock>> pin(const std::string& path,
                                                std::uint64_t sequence) = 0;
  /// Whether anyone, in this process or another, pins `sequence`.
  virtual Result<bool> is_pinned(const std::string& path, std::uint64_t sequence) = 0;
  /// Whether anyone pins a sequence below `end`, end <= 2^62. One question, however many there are.
  virtual Result<bool> is_any_pinned(const std::string& path, std::uint64_t end) = 0;
  /// A device that reads `files`, all opened by this file system; they must outlive it. Everything
  /// above io/ makes its devices here and not by the free make_device(), so that a simulated file
  /// system reaches block reads too. `fallback_reason` as in io::make_device.
  virtual Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const> files,
                                                      const DeviceOptions& options,
                                                      std::string* fallback_reason) = 0;
};

/// The operating system's. One instance, stateless, thread-safe, never destroyed.
Fs& posix_fs();

/// Parent folder of `path` ("." when it has none).
std::string parent_dir(const std::string& path);

}  // namespace cairn::io
