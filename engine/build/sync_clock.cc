#include "engine/build/sync_clock.h"

#include <chrono>

namespace cairn::build {
namespace {

/// Adds the time until it goes out of scope.
class Timing {
 public:
  explicit Timing(double& seconds) : seconds_(seconds) {}
  Timing(const Timing&) = delete;
  Timing& operator=(const Timing&) = delete;
  ~Timing() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class TimedFile final : public io::ForwardingWriteFile {
 public:
  TimedFile(std::unique_ptr<io::WriteFile> to, double& seconds)
      : io::ForwardingWriteFile(std::move(to)), seconds_(seconds) {}
  Status sync() override {
    const Timing timing(seconds_);
    return io::ForwardingWriteFile::sync();
  }

 private:
  double& seconds_;
};

}  // namespace

Result<std::unique_ptr<io::WriteFile>> SyncClock::create(const std::string& path,
                                                         io::WriteMode mode) {
  CAIRN_ASSIGN(auto file, io::ForwardingFs::create(path, mode));
  return std::make_unique<TimedFile>(std::move(file), seconds_);
}

Result<std::unique_ptr<io::WriteFile>> SyncClock::reopen(const std::string& path,
                                                         std::uint64_t length, io::WriteMode mode) {
  CAIRN_ASSIGN(auto file, io::ForwardingFs::reopen(path, length, mode));
  return std::make_unique<TimedFile>(std::move(file), seconds_);
}

Status SyncClock::sync_dir(const std::string& path) {
  const Timing timing(seconds_);
  return io::ForwardingFs::sync_dir(path);
}

}  // namespace cairn::build
