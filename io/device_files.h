// What every real device knows of the files it reads, and the checks they share.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "io/device.h"
#include "io/fs.h"
#include "io/read_progress.h"

namespace cairn::io {

/// The longest time limit, and the longest that is waited at once: as many milliseconds as 32 bits
/// hold (50 days).
inline constexpr std::int64_t kTimeoutMaxUs =
    std::int64_t{std::numeric_limits<std::uint32_t>::max()} * 1000;

/// The files of one device by index.
class DeviceFiles {
 public:
  /// invalid_argument if a file has no descriptor (a simulated one).
  static Result<DeviceFiles> create(std::span<const ReadFile* const> files);

  /// invalid_argument unless every op names a file, is not empty and is aligned.
  Status check(std::span<const ReadOp> ops) const;

  std::size_t size() const { return files_.size(); }
  int fd(std::uint32_t file) const { return files_[file].fd; }
  std::vector<int> fds() const;
  /// What a device says of a read that does not come back.
  Error overdue(const ReadOp& op, std::int64_t timeout_us) const;

  ReadProgress start(const ReadOp& op) const {
    const File& file = files_[op.file];
    return {op.offset, op.bytes, file.bytes, file.alignment};
  }

 private:
  struct File {
    int fd;
    std::uint32_t alignment;
    std::uint64_t bytes;
    const ReadFile* source;
  };
  std::vector<File> files_;
};

/// One thread's synchronous reads; returns 0 or an errno value.
int read_now(const DeviceFiles& files, const ReadOp& op);

// The implementations, one file each. `options` are checked.
Result<std::unique_ptr<Device>> make_uring_device(DeviceFiles files, const DeviceOptions& options);
Result<std::unique_ptr<Device>> make_pread_device(DeviceFiles files, const DeviceOptions& options);
Result<std::unique_ptr<Device>> make_sync_device(DeviceFiles files, const DeviceOptions& options);

}  // namespace cairn::io
