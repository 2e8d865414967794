// What a simulated file system, its files and its devices share. Internal to tests/sim.
#pragma once

#include <cairn/result.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/device.h"
#include "io/fs.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/sim_fs.h"

namespace cairn::sim {

struct SimCore {
  explicit SimCore(std::uint64_t seed_in) : seed(seed_in), faults(seed_in), random(seed_in) {}

  /// Numbers the operation and lets the plan strike. Call with the mutex held.
  std::optional<FsFault> enter(FsOp op, const std::string& path, bool direct = false);
  /// The same for operations that a fault simply fails.
  Status enter_or_fail(FsOp op, const std::string& path, bool direct = false);
  std::optional<ReadFault> enter_read(const std::string& path);
  /// Room for file contents. Call with the mutex held.
  std::uint64_t free_bytes() const {
    return capacity_bytes - std::min(disk.used_bytes(), capacity_bytes);
  }

  std::mutex mutex;  // of all below
  const std::uint64_t seed;
  Disk disk;
  FaultPlan faults;
  std::mt19937_64 random;
  std::uint64_t capacity_bytes = std::numeric_limits<std::uint64_t>::max();
  std::vector<OpRecord> operations;
  std::uint64_t reads = 0;
  /// Reads of stuck devices that are gone: their buffers may be written to at any time.
  std::vector<io::ReadOp> left_behind;
  bool power_off = false;
  std::set<NodeId> locked;
  std::map<std::pair<NodeId, std::uint64_t>, std::uint32_t> pins;
};

/// An open file; fd() is -1, so that no real device takes it.
class SimReadFile final : public io::ReadFile {
 public:
  SimReadFile(std::shared_ptr<SimCore> core, std::string path, NodeId node, std::uint64_t bytes,
              bool direct)
      : core_(std::move(core)),
        path_(std::move(path)),
        node_(node),
        bytes_(bytes),
        alignment_(direct ? 4096 : 1) {}

  Status read(std::uint64_t offset, std::span<std::byte> into) const override;
  std::uint64_t bytes() const override { return bytes_; }
  const std::string& path() const override { return path_; }
  int fd() const override { return -1; }
  std::uint32_t alignment_bytes() const override { return alignment_; }

  /// Fills `into` as `fault` has it; returns 0 or an errno value. Call with the mutex held.
  int fill(std::uint64_t offset, std::span<std::byte> into,
           const std::optional<ReadFault>& fault) const;
  const std::shared_ptr<SimCore>& core() const { return core_; }

 private:
  std::uint64_t copy(std::uint64_t offset, std::span<std::byte> into) const;
  std::uint64_t other_block(std::uint64_t offset, std::uint64_t bytes) const;

  std::shared_ptr<SimCore> core_;
  std::string path_;
  NodeId node_;
  std::uint64_t bytes_;
  std::uint32_t alignment_;
};

std::unique_ptr<io::WriteFile> make_sim_write_file(std::shared_ptr<SimCore> core, std::string path,
                                                   NodeId node, std::uint64_t bytes = 0);
Result<std::unique_ptr<io::Device>> make_sim_device(std::shared_ptr<SimCore> core,
                                                    std::span<const io::ReadFile* const> files,
                                                    const io::DeviceOptions& options);

}  // namespace cairn::sim
