// How long a build waits for the disk to say that bytes are safe. That wait comes once a file, not
// once a vector, so an estimate has to know it apart.
#pragma once

#include <memory>
#include <string>

#include "io/forwarding_fs.h"

namespace cairn::build {

/// Not thread-safe: a build writes its files from one thread.
class SyncClock final : public io::ForwardingFs {
 public:
  explicit SyncClock(io::Fs& fs) : io::ForwardingFs(fs) {}

  /// Spent in syncs of files and folders so far.
  double seconds() const { return seconds_; }

  Result<std::unique_ptr<io::WriteFile>> create(const std::string& path,
                                                io::WriteMode mode) override;
  Result<std::unique_ptr<io::WriteFile>> reopen(const std::string& path, std::uint64_t length,
                                                io::WriteMode mode) override;
  Status sync_dir(const std::string& path) override;

 private:
  double seconds_ = 0;
};

}  // namespace cairn::build
