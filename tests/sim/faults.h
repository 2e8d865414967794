// What a simulated file system is told to do wrong, and when. A fault is chosen by the number of
// the operation (for exhaustive campaigns: run once without faults, count, then fail each in turn)
// or by a seeded probability (for long random runs). Equal plans give equal runs.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::sim {

enum class FsOp : std::uint8_t {
  create,
  append,
  sync,
  close,
  open,
  make_dir,
  rename,
  rename_new,
  sync_dir,
  remove,
  exists,
  list,
  lock,
  pin,
  is_pinned,
  make_device,
  reopen,
  file_bytes,
  free_bytes,
};
std::string_view fs_op_name(FsOp op);
/// Looks at names and sizes: how many a build takes depends on the time that passes.
inline bool is_look(FsOp op) { return op == FsOp::list || op == FsOp::file_bytes; }

/// When a fault strikes: every condition that is set must hold.
struct When {
  std::optional<std::uint64_t> at = {};          // number of the operation, from 0
  std::optional<std::uint64_t> at_no_look = {};  // the same among operations that are no looks
  std::string path_contains = {};
  std::uint64_t skip = 0;  // lets this many matches pass first
  double probability = 1;  // of each match
  bool sticky = false;     // else once
};

struct FsFault {
  enum class Kind : std::uint8_t {
    error,      // fails with `error`, without effect; a failed sync loses its writes, see SimFs
    partial,    // an append writes half of its bytes, then fails with `error`; else as error
    power_off,  // this and every later operation fail with EIO: then see SimFs::after_power_loss
  };
  When when = {};
  std::optional<FsOp> op = {};
  Kind kind = Kind::error;
  int error = 5;  // EIO
};

/// Faults of reads, by ReadFile::read and by devices alike, numbered together in order of start.
struct ReadFault {
  enum class Kind : std::uint8_t {
    error,        // completes with `error` and a buffer of rubbish
    early_end,    // as a file that ends in the middle: the front is right, then EIO
    wrong_block,  // another block's bytes, and no error (a misdirected read)
    bit_flip,     // one bit is wrong, and no error
    zeros,        // all zero, and no error (a write that never reached the disk)
    torn,         // the tail, from a 512-byte boundary on, is another block's, and no error
    late,         // completes only after others (devices)
    delayed,      // completes `delay_us` of real time after its start at the earliest (devices)
    lost,         // does not complete until the device is destroyed (devices)
  };
  When when = {};
  Kind kind = Kind::error;
  int error = 5;  // EIO
  std::uint32_t delay_us = 1000;
};
std::string_view read_fault_name(ReadFault::Kind kind);

/// Decides for each operation. Not thread-safe.
class FaultPlan {
 public:
  explicit FaultPlan(std::uint64_t seed = 1) : random_(seed) {}
  FaultPlan& add(FsFault fault);
  FaultPlan& add(ReadFault fault);
  void clear();

  /// Paths of operations and reads that were struck, but for reads that only came late, since the
  /// plan was made or since forget_struck().
  const std::vector<std::string>& struck() const { return struck_; }
  void forget_struck() { struck_.clear(); }

  /// The first fault that strikes operation or read number `index`, if any.
  std::optional<FsFault> strike(FsOp op, std::string_view path, std::uint64_t index);
  std::optional<ReadFault> strike_read(std::string_view path, std::uint64_t index);

 private:
  template <class Fault>
  struct Armed {
    Fault fault;
    std::uint64_t matches = 0;
    bool spent = false;
  };
  template <class Fault>
  bool strikes(Armed<Fault>& armed, std::string_view path, std::uint64_t index);

  std::mt19937_64 random_;
  std::vector<Armed<FsFault>> fs_;
  std::vector<Armed<ReadFault>> reads_;
  std::vector<std::string> struck_;
  std::uint64_t no_looks_ = 0;
};

}  // namespace cairn::sim
