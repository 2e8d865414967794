// Reads through one io_uring. Every read in flight owns a slot; the slot's number and generation
// are the request's user data, so that a completion that is not the slot's current read is seen.
#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "io/device_files.h"
#include "io/os_error.h"
#include "io/read_timeout.h"
#include "io/uring_ring.h"

namespace cairn::io {
namespace {

using Clock = std::chrono::steady_clock;

// System calls in a row that a signal or a momentary shortage may spoil. With a 1 kHz profiler
// this is days; a sandbox that always answers EINTR costs a fraction of a second, not a hang.
constexpr std::uint32_t kInterruptsMax = 1'000'000;
// Attempts to hand over prepared reads when the kernel says EAGAIN or EBUSY before they are left
// to the next reap(), which frees the completion queue first.
constexpr std::uint32_t kSubmitAttemptsMax = 16;
// Looks, a millisecond apart, for reads of a ring on which the kernel lets nobody wait.
constexpr std::uint32_t kBlindWaitsMax = 1'000;
constexpr std::size_t kTakeBatch = 32;

struct Slot {
  ReadOp op;
  ReadProgress progress;
  std::uint32_t generation = 0;
  bool in_kernel = false;  // handed over and not yet completed: the kernel may write the buffer
};

std::uint64_t pack(std::uint32_t slot, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | slot;
}

class UringDevice final : public Device {
 public:
  UringDevice(DeviceFiles files, const DeviceOptions& options, std::unique_ptr<UringRing> ring);
  ~UringDevice() override;

  std::uint32_t depth() const override { return static_cast<std::uint32_t>(slots_.size()); }
  std::uint32_t in_flight() const override {
    return static_cast<std::uint32_t>(slots_.size() - free_.size());
  }
  Result<std::uint32_t> submit(std::span<const ReadOp> ops) override;
  Result<std::uint32_t> reap(std::span<ReadDone> done, std::uint32_t wait_min,
                             std::int64_t timeout_us) override;
  Backend backend() const override { return Backend::uring; }
  bool stuck() const override { return overdue_.has_value(); }
  bool usable() const override { return broken_ == 0; }
  bool drain() override;

 private:
  Status take_ownership();
  void prepare(std::uint32_t slot);
  void hand_over();
  void note_handed_over();
  void break_ring(int error);
  bool wait_once(std::uint32_t need, std::int64_t timeout_us, Clock::time_point since);
  bool all_in_time();
  Error overdue() const { return files_.overdue(slots_[*overdue_].op, timeout_.timeout_us()); }
  std::uint32_t collect(std::span<ReadDone> done);
  std::uint32_t report_failed(std::span<ReadDone> done);
  std::optional<ReadDone> absorb(const RingDone& completion);
  ReadDone finish(std::uint32_t slot, int error);
  bool in_arena(const ReadOp& op) const;
  std::uint32_t kernel_reads() const {
    return in_flight() - static_cast<std::uint32_t>(prepared_.size() + failed_.size());
  }

  DeviceFiles files_;
  std::span<std::byte> arena_;
  std::unique_ptr<UringRing> ring_;
  bool fixed_files_ = false;
  bool fixed_memory_ = false;
  std::optional<std::thread::id> owner_;  // of a one-thread ring, once started
  std::vector<Slot> slots_;
  ReadTimeout timeout_;
  std::optional<std::uint32_t> overdue_;  // slot of a read that did not come back in time
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> prepared_;  // in the submission queue, in order, not handed over
  std::vector<std::uint32_t> failed_;    // never handed over and never will be: to be reported
  std::uint32_t fruitless_ = 0;          // waits in a row that brought nothing
  int broken_ = 0;                       // errno value; nothing is submitted any more
};

UringDevice::UringDevice(DeviceFiles files, const DeviceOptions& options,
                         std::unique_ptr<UringRing> ring)
    : files_(std::move(files)),
      arena_(options.arena),
      ring_(std::move(ring)),
      timeout_(ring_->capacity(), options.read_timeout_us) {
  const std::uint32_t slots = ring_->capacity();
  slots_.resize(slots);
  free_.reserve(slots);
  prepared_.reserve(slots);
  failed_.reserve(slots);
  for (std::uint32_t slot = slots; slot-- > 0;) free_.push_back(slot);
  fixed_files_ = ring_->register_files(files_.fds());
  fixed_memory_ = ring_->register_memory(arena_);
}

UringDevice::~UringDevice() {
  // With reads in the kernel it would wait for them.
  if (UringDevice::drain()) ring_->release_memory();
}

bool UringDevice::drain() {
  // Broken: what is not in the kernel stays out, and a short read is not continued.
  break_ring(ECANCELED);
  fruitless_ = 0;  // a reap() that gave up waiting does not take the wait away here
  std::array<ReadDone, kTakeBatch> dropped;
  while (!stuck() && kernel_reads() > 0 && fruitless_ < kInterruptsMax) {
    report_failed(dropped);
    if (collect(dropped) == 0 && all_in_time()) wait_once(1, -1, {});
  }
  return kernel_reads() == 0;
}

// The thread of the first call becomes the issuer of a one-thread ring.
Status UringDevice::take_ownership() {
  if (!ring_->one_thread()) return {};
  if (!owner_) {
    CAIRN_TRY(ring_->start());
    owner_ = std::this_thread::get_id();
  }
  if (*owner_ == std::this_thread::get_id()) return {};
  return fail({.code = ErrorCode::invalid_argument,
               .what = "device used by a second thread",
               .expected = "DeviceOptions::any_thread"});
}

bool UringDevice::in_arena(const ReadOp& op) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(arena_.data());
  const auto at = reinterpret_cast<std::uintptr_t>(op.buffer);
  return at >= begin && at - begin <= arena_.size() && op.bytes <= arena_.size() - (at - begin);
}

// Puts the rest of the slot's read into the submission queue, which has a place for every slot.
void UringDevice::prepare(std::uint32_t slot) {
  Slot& read = slots_[slot];
  io_uring_sqe* sqe = ring_->next_sqe();
  assert(sqe != nullptr);
  const int fd = fixed_files_ ? static_cast<int>(read.op.file) : files_.fd(read.op.file);
  std::byte* into = read.op.buffer + read.progress.done();
  const auto bytes = static_cast<unsigned>(read.progress.remaining());
  if (fixed_memory_ && in_arena(read.op)) {
    io_uring_prep_read_fixed(sqe, fd, into, bytes, read.progress.next_offset(), 0);
  } else {
    io_uring_prep_read(sqe, fd, into, bytes, read.progress.next_offset());
  }
  if (fixed_files_) io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(sqe, pack(slot, ++read.generation));
  prepared_.push_back(slot);
}

// The kernel takes prepared reads from the front.
void UringDevice::note_handed_over() {
  const auto taken = prepared_.size() - ring_->unsubmitted();
  const auto end = prepared_.begin() + static_cast<std::ptrdiff_t>(taken);
  std::for_each(prepared_.begin(), end, [&](std::uint32_t slot) { slots_[slot].in_kernel = true; });
  prepared_.erase(prepared_.begin(), end);
}

// What the kernel does not take for want of memory or room stays prepared for the next reap().
void UringDevice::hand_over() {
  for (std::uint32_t attempt = 0; !prepared_.empty() && attempt < kSubmitAttemptsMax; ++attempt) {
    const int error = ring_->submit();
    note_handed_over();
    if (error == EAGAIN || error == EBUSY) {
      ring_->flush_completions();
    } else if (error != 0 && error != EINTR) {
      break_ring(error);
    }
  }
}

void UringDevice::break_ring(int error) {
  if (broken_ == 0) broken_ = error;
  failed_.insert(failed_.end(), prepared_.begin(), prepared_.end());
  prepared_.clear();
}

ReadDone UringDevice::finish(std::uint32_t slot, int error) {
  timeout_.end(slot);
  free_.push_back(slot);
  return {.tag = slots_[slot].op.tag, .error = error};
}

std::optional<ReadDone> UringDevice::absorb(const RingDone& completion) {
  const auto slot = static_cast<std::uint32_t>(completion.user_data);
  if (slot >= slots_.size()) return std::nullopt;
  Slot& read = slots_[slot];
  // Not the read this slot waits for: an old one must not pass for it.
  if (!read.in_kernel || completion.user_data != pack(slot, read.generation)) return std::nullopt;
  read.in_kernel = false;
  switch (read.progress.advance(completion.result)) {
    case ReadProgress::Step::finished:
      return finish(slot, 0);
    case ReadProgress::Step::failed:
      return finish(slot, read.progress.error());
    case ReadProgress::Step::again:
      break;
  }
  if (broken_ != 0) return finish(slot, broken_);
  prepare(slot);
  return std::nullopt;
}

std::uint32_t UringDevice::collect(std::span<ReadDone> done) {
  std::array<RingDone, kTakeBatch> batch;
  std::uint32_t count = 0;
  while (count < done.size()) {
    const std::uint32_t taken =
        ring_->take(std::span(batch).first(std::min(batch.size(), done.size() - count)));
    if (taken == 0) break;
    fruitless_ = 0;
    for (const RingDone& completion : std::span(batch).first(taken))
      if (const auto finished = absorb(completion)) done[count++] = *finished;
  }
  return count;
}

std::uint32_t UringDevice::report_failed(std::span<ReadDone> done) {
  std::uint32_t count = 0;
  for (; count < done.size() && !failed_.empty(); failed_.pop_back())
    done[count++] = finish(failed_.back(), broken_);
  return count;
}

Result<std::uint32_t> UringDevice::submit(std::span<const ReadOp> ops) {
  if (broken_ != 0) return fail(os_error(broken_, "submit to io_uring", ""));
  CAIRN_TRY(files_.check(ops));
  CAIRN_TRY(take_ownership());
  const auto count = std::min(ops.size(), free_.size());
  const std::int64_t now_us = timeout_.now();
  for (const ReadOp& op : ops.first(count)) {
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    timeout_.begin(slot, now_us);
    slots_[slot].op = op;
    slots_[slot].progress = files_.start(op);
    prepare(slot);
  }
  hand_over();
  return static_cast<std::uint32_t>(count);
}

// A read that does not come back ends the device: the kernel may write its buffer at any time.
bool UringDevice::all_in_time() {
  overdue_ = timeout_.overdue();
  if (overdue_) break_ring(ETIMEDOUT);
  return !overdue_;
}

// One wait for completions; false when the time is over.
bool UringDevice::wait_once(std::uint32_t need, std::int64_t timeout_us, Clock::time_point since) {
  std::int64_t left_us = -1;
  if (timeout_us >= 0) {
    const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since);
    left_us = timeout_us - passed.count();
    if (left_us <= 0) return false;
  }
  const std::int64_t look_us = timeout_.wait_max_us();
  const bool looks_first = look_us >= 0 && (left_us < 0 || look_us < left_us);
  if (looks_first) left_us = look_us;
  ++fruitless_;
  // EAGAIN with nothing in the kernel: it does not even take the reads, there is none to wait for.
  const int error =
      kernel_reads() == 0 ? EAGAIN : ring_->wait(std::min(need, kernel_reads()), left_us);
  // With no way to wait, look now and then.
  if (error != 0 && error != EINTR && error != ETIME) {
    if (error != EAGAIN && error != EBUSY) break_ring(error);
    fruitless_ += kInterruptsMax / kBlindWaitsMax;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return error != ETIME || looks_first;
}

Result<std::uint32_t> UringDevice::reap(std::span<ReadDone> done, std::uint32_t wait_min,
                                        std::int64_t timeout_us) {
  if (in_flight() == 0 || done.empty()) return 0;
  CAIRN_TRY(take_ownership());
  if (stuck()) return fail(overdue());
  const Clock::time_point since = timeout_us > 0 ? Clock::now() : Clock::time_point{};
  const auto need =
      static_cast<std::uint32_t>(std::min<std::size_t>({wait_min, in_flight(), done.size()}));
  fruitless_ = 0;
  std::uint32_t count = 0;
  for (bool in_time = true;;) {
    count += report_failed(done.subspan(count));
    count += collect(done.subspan(count));
    hand_over();
    // Where there was no room for all, nobody knows which have come back.
    if (count < done.size() && !all_in_time()) {
      if (count > 0) return count;  // the next call says so
      return fail(overdue());
    }
    if (count >= need || !in_time) return count;
    if (!failed_.empty()) continue;
    if (fruitless_ >= kInterruptsMax) {
      if (count > 0) return count;
      return fail(os_error(broken_ != 0 ? broken_ : EAGAIN, "wait for io_uring", ""));
    }
    in_time = wait_once(need - count, timeout_us, since);
  }
}

}  // namespace

Result<std::unique_ptr<Device>> make_uring_device(DeviceFiles files, const DeviceOptions& options) {
  CAIRN_ASSIGN(auto ring, UringRing::open(options.depth, !options.any_thread));
  return std::make_unique<UringDevice>(std::move(files), options, std::move(ring));
}

}  // namespace cairn::io
