// A file system in memory that can lose, tear, refuse, corrupt and reorder, for tests of everything
// above io/. Deterministic: the same calls with the same seed give the same faults, the same order
// of completions and the same disk after a loss of power. No real time passes, but where the plan
// delays a read.
//
// Injected: any operation failing with any errno value, once or always, by number or by chance;
// partial appends and a full disk; failed syncs that lose their data; loss of power between any two
// operations, with unsynced appends lost, torn or zeroed and unsynced folder entries dropped, each
// by itself (see disk.h); reads that fail, end early, return another block, a flipped bit, zeros or
// a torn block, complete late, after a time, or never; completions in any order.
//
// Not injected, and why: short reads, EINTR and EAGAIN inside a device (the Device contract hides
// them; the real devices are tested against them with seccomp and signals in tests/io); a disk that
// acknowledges a flush and drops it (no software recovers from it; design.md promises nothing
// there); the loss of the cut that reopen() makes (it lasts at once: the longer file is what a loss
// of power before it leaves); damage to synced data other than through reads (plant it with
// set_bytes); stale versions of a rewritten block (nothing is rewritten in place); thread schedules
// (run under TSan instead).
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/device.h"
#include "io/fs.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"

namespace cairn::sim {

struct SimCore;

struct OpRecord {
  FsOp op;
  std::string path;
  bool direct = false;  // create, reopen: WriteMode::direct; open: direct. Nothing else differs.
};

/// Thread-safe. Files, locks and devices made here keep the disk alive.
class SimFs final : public io::Fs {
 public:
  explicit SimFs(std::uint64_t seed = 1);

  // ---- what tests do to it
  /// The plan of faults; change it only while no other thread uses the file system.
  FaultPlan& faults();
  /// Room for file contents; appends beyond it are partial and fail with ENOSPC.
  void set_capacity(std::uint64_t bytes);
  /// Every operation so far, in order; its index is its number for When::at.
  std::vector<OpRecord> operations() const;
  /// Reads started so far, by files and devices.
  std::uint64_t reads() const;
  /// Changes that a loss of power now may undo.
  std::vector<Pending> pending() const;
  /// Another file system, without faults, on what is left after a loss of power at this moment;
  /// see Disk::after_power_loss. This one is not changed and its files stay usable.
  std::unique_ptr<SimFs> after_power_loss(std::span<const Fate> fates, std::uint64_t seed) const;
  /// Another file system on a copy of the disk as it is, without faults and with a seed of its own.
  std::unique_ptr<SimFs> copy(std::uint64_t seed) const;
  /// The reads that stuck devices left behind come back after all, into the memory that was theirs.
  /// Returns how many.
  std::size_t complete_left_behind();
  /// Contents of a file, past all faults; empty if there is none.
  std::vector<std::byte> bytes(const std::string& path) const;
  /// Replaces the contents of an existing file, past all faults.
  void set_bytes(const std::string& path, std::vector<std::byte> bytes);

  // ---- io::Fs
  using io::Fs::create;
  Result<std::unique_ptr<io::WriteFile>> create(const std::string& path,
                                                io::WriteMode mode) override;
  Result<std::unique_ptr<io::WriteFile>> reopen(const std::string& path, std::uint64_t length,
                                                io::WriteMode mode) override;
  /// With `direct` reads must be aligned to 4096, as on the strictest disk.
  Result<std::unique_ptr<io::ReadFile>> open(const std::string& path, bool direct) override;
  Status make_dir(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status rename_new(const std::string& from, const std::string& to) override;
  Status sync_dir(const std::string& path) override;
  Status remove(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::uint64_t> file_bytes(const std::string& path) override;
  /// What set_capacity() leaves; about 2^64 without it.
  Result<std::uint64_t> free_bytes(const std::string& folder) override;
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override;
  Result<std::unique_ptr<io::FileLock>> pin(const std::string& path,
                                            std::uint64_t sequence) override;
  Result<bool> is_pinned(const std::string& path, std::uint64_t sequence) override;
  Result<bool> is_any_pinned(const std::string& path, std::uint64_t end) override;
  /// Takes every backend and reports the one asked for (automatic: uring).
  Result<std::unique_ptr<io::Device>> make_device(std::span<const io::ReadFile* const> files,
                                                  const io::DeviceOptions& options,
                                                  std::string* fallback_reason) override;

 private:
  explicit SimFs(std::shared_ptr<SimCore> core) : core_(std::move(core)) {}
  Status rename_entry(FsOp op, const std::string& from, const std::string& to);

  std::shared_ptr<SimCore> core_;
};

}  // namespace cairn::sim
