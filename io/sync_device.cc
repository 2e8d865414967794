// Reads in submit(), in order: the reference that the other backends must equal, and the one with
// no moving parts.
#include <algorithm>
#include <utility>

#include "io/device_files.h"

namespace cairn::io {
namespace {

class SyncDevice final : public Device {
 public:
  SyncDevice(DeviceFiles files, std::uint32_t depth) : files_(std::move(files)), depth_(depth) {
    finished_.reserve(depth);
  }

  std::uint32_t depth() const override { return depth_; }
  std::uint32_t in_flight() const override {
    return static_cast<std::uint32_t>(finished_.size() - reaped_);
  }

  Result<std::uint32_t> submit(std::span<const ReadOp> ops) override {
    CAIRN_TRY(files_.check(ops));
    const auto count = std::min<std::size_t>(ops.size(), depth_ - in_flight());
    drop_reaped();
    for (const ReadOp& op : ops.first(count))
      finished_.push_back({.tag = op.tag, .error = read_now(files_, op)});
    return static_cast<std::uint32_t>(count);
  }

  Result<std::uint32_t> reap(std::span<ReadDone> done, std::uint32_t, std::int64_t) override {
    const auto count = std::min<std::size_t>(done.size(), in_flight());
    std::copy_n(finished_.begin() + static_cast<std::ptrdiff_t>(reaped_), count, done.begin());
    reaped_ += count;
    return static_cast<std::uint32_t>(count);
  }

  Backend backend() const override { return Backend::sync; }
  bool stuck() const override { return false; }
  bool drain() override { return true; }
  bool usable() const override { return true; }

 private:
  void drop_reaped() {
    finished_.erase(finished_.begin(), finished_.begin() + static_cast<std::ptrdiff_t>(reaped_));
    reaped_ = 0;
  }

  DeviceFiles files_;
  std::uint32_t depth_;
  std::vector<ReadDone> finished_;  // in the order of submission; the first reaped_ are gone
  std::size_t reaped_ = 0;
};

}  // namespace

Result<std::unique_ptr<Device>> make_sync_device(DeviceFiles files, const DeviceOptions& options) {
  return std::make_unique<SyncDevice>(std::move(files), options.depth);
}

}  // namespace cairn::io
