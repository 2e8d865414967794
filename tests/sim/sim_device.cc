// A device whose reads complete in a seeded order, when they are reaped: until then no buffer is
// written, so that a caller who frees or reuses one too early is seen by a sanitizer or a checksum.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/sim/sim_core.h"

namespace cairn::sim {
namespace {

// A late read lets this many rounds of reap() pass.
constexpr std::uint32_t kLateRounds = 5;

using Clock = std::chrono::steady_clock;

class SimDevice final : public io::Device {
 public:
  SimDevice(std::shared_ptr<SimCore> core, std::vector<const SimReadFile*> files,
            std::uint32_t depth, io::Backend backend)
      : core_(std::move(core)), files_(std::move(files)), depth_(depth), backend_(backend) {}

  ~SimDevice() override {
    SimDevice::drain();
    const std::lock_guard lock(core_->mutex);
    for (const Read& read : reads_) core_->left_behind.push_back(read.op);
  }

  bool drain() override {
    const std::lock_guard lock(core_->mutex);
    if (!stuck_) {
      for (const Read& read : reads_)
        if (!read.lost) complete(read);
      std::erase_if(reads_, [](const Read& read) { return !read.lost; });
      stuck_ = !reads_.empty();
    }
    return reads_.empty();
  }

  std::uint32_t depth() const override { return depth_; }
  std::uint32_t in_flight() const override { return static_cast<std::uint32_t>(reads_.size()); }
  io::Backend backend() const override { return backend_; }
  bool stuck() const override { return stuck_; }
  bool usable() const override { return !stuck_; }

  Result<std::uint32_t> submit(std::span<const io::ReadOp> ops) override {
    for (const io::ReadOp& op : ops) CAIRN_TRY(check(op));
    if (stuck_) return fail(overdue());
    const std::lock_guard lock(core_->mutex);
    const auto count = std::min<std::size_t>(ops.size(), depth_ - in_flight());
    for (const io::ReadOp& op : ops.first(count)) {
      Read& read = reads_.emplace_back();
      read.op = op;
      read.fault = core_->enter_read(files_[op.file]->path());
      if (!read.fault) continue;
      if (read.fault->kind == ReadFault::Kind::late) read.rounds_left = kLateRounds;
      read.lost = read.fault->kind == ReadFault::Kind::lost;
      if (read.fault->kind == ReadFault::Kind::delayed)
        read.not_before = Clock::now() + std::chrono::microseconds(read.fault->delay_us);
    }
    return static_cast<std::uint32_t>(count);
  }

  Result<std::uint32_t> reap(std::span<io::ReadDone> done, std::uint32_t wait_min,
                             std::int64_t timeout_us) override {
    const Clock::time_point until =
        timeout_us > 0 ? Clock::now() + std::chrono::microseconds(timeout_us) : kNever;
    std::unique_lock lock(core_->mutex);
    if (stuck_) return fail(overdue());
    const std::size_t need = std::min<std::size_t>({wait_min, in_flight(), done.size()});
    std::uint32_t count = 0;
    for (;;) {
      pass_a_round();
      // Any number may have completed by now, at least those that are waited for.
      const std::size_t wanted = count < need && timeout_us != 0 ? need - count : 0;
      const std::size_t ready = std::min(ready_reads(), done.size() - count);
      std::size_t take = ready == 0 ? 0 : core_->random() % (ready + 1);
      for (take = std::max(take, std::min(wanted, ready)); take > 0; --take)
        done[count++] = take_one();
      if (count >= need || timeout_us == 0) return count;
      // No time passes here: what can only wait for a lost read has waited for as long as it may.
      if (timeout_us < 0 &&
          std::ranges::all_of(reads_, [](const Read& read) { return read.lost; })) {
        if (count > 0) return count;
        stuck_ = true;
        return fail(overdue());
      }
      const bool again = wait_for_delayed(lock, until);
      if (timeout_us > 0 && !again) return count;
    }
  }

 private:
  struct Read {
    io::ReadOp op;
    std::optional<ReadFault> fault;
    std::uint32_t rounds_left = 0;
    bool lost = false;
    Clock::time_point not_before = {};  // until a round finds that it has passed
  };
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  static bool is_ready(const Read& read) {
    return !read.lost && read.rounds_left == 0 && read.not_before == Clock::time_point();
  }

  void pass_a_round() {
    for (Read& read : reads_) {
      if (read.rounds_left > 0) --read.rounds_left;
      if (read.not_before != Clock::time_point() && read.not_before <= Clock::now())
        read.not_before = {};
    }
  }

  /// Sleeps, if no other read can complete, until a delayed one may or `until`; whether one may.
  bool wait_for_delayed(std::unique_lock<std::mutex>& lock, Clock::time_point until) {
    Clock::time_point first = kNever;
    for (const Read& read : reads_) {
      if (is_ready(read) || read.rounds_left > 0) return false;
      if (read.not_before != Clock::time_point()) first = std::min(first, read.not_before);
    }
    if (first == kNever) return false;
    lock.unlock();
    std::this_thread::sleep_until(std::min(first, until));
    lock.lock();
    return first <= until;
  }

  Status check(const io::ReadOp& op) const {
    if (op.file >= files_.size() || op.bytes == 0)
      return fail(ErrorCode::invalid_argument, "a read that names no file or no bytes");
    const auto address = reinterpret_cast<std::uintptr_t>(op.buffer);
    if ((op.offset | op.bytes | address) % files_[op.file]->alignment_bytes() != 0)
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "unaligned block read of",
                   .file = files_[op.file]->path()});
    return {};
  }

  /// Of a lost read; some are, and are all that is in flight.
  Error overdue() const {
    return {.code = ErrorCode::io,
            .what = "a read has not come back of",
            .file = files_[reads_.front().op.file]->path()};
  }

  int complete(const Read& read) {
    return files_[read.op.file]->fill(read.op.offset, {read.op.buffer, read.op.bytes}, read.fault);
  }

  std::size_t ready_reads() const {
    return static_cast<std::size_t>(std::ranges::count_if(reads_, is_ready));
  }

  // One of those that are ready, by seed.
  io::ReadDone take_one() {
    std::size_t nth = core_->random() % ready_reads();
    const auto chosen = std::ranges::find_if(
        reads_, [&](const Read& read) { return is_ready(read) && nth-- == 0; });
    const io::ReadDone done{.tag = chosen->op.tag, .error = complete(*chosen)};
    reads_.erase(chosen);
    return done;
  }

  std::shared_ptr<SimCore> core_;
  std::vector<const SimReadFile*> files_;
  std::uint32_t depth_;
  io::Backend backend_;
  bool stuck_ = false;
  std::vector<Read> reads_;
};

}  // namespace

Result<std::unique_ptr<io::Device>> make_sim_device(std::shared_ptr<SimCore> core,
                                                    std::span<const io::ReadFile* const> files,
                                                    const io::DeviceOptions& options) {
  if (options.depth < 1 || options.depth > io::kDeviceDepthMax)
    return fail(ErrorCode::invalid_argument, "device depth");
  std::vector<const SimReadFile*> known;
  for (const io::ReadFile* file : files) {
    const auto* sim = dynamic_cast<const SimReadFile*>(file);
    if (sim == nullptr || sim->core() != core)
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "file of another file system:",
                   .file = file->path()});
    known.push_back(sim);
  }
  const io::Backend backend =
      options.backend == io::Backend::automatic ? io::Backend::uring : options.backend;
  return std::make_unique<SimDevice>(std::move(core), std::move(known), options.depth, backend);
}

}  // namespace cairn::sim
