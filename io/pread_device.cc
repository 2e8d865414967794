// A pool of threads that pread: for kernels and containers that refuse io_uring.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "io/device_files.h"
#include "io/read_timeout.h"

namespace cairn::io {
namespace {

// First in, first out, of fixed capacity: nothing is allocated per read.
template <class T>
class FixedQueue {
 public:
  explicit FixedQueue(std::size_t capacity) : items_(capacity) {}
  std::size_t size() const { return size_; }
  void push(const T& item) { items_[(first_ + size_++) % items_.size()] = item; }
  T pop() {
    const T item = items_[first_];
    first_ = (first_ + 1) % items_.size();
    --size_;
    return item;
  }

 private:
  std::vector<T> items_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// What the threads and the device share. Lives as long as any of them: a thread whose read never
/// comes back outlives its device.
struct Shared {
  Shared(DeviceFiles files_in, std::uint32_t depth)
      : files(std::move(files_in)), ops(depth), waiting(depth), finished(depth) {}

  struct Finished {
    std::uint32_t slot;
    int error;
  };

  void run();

  const DeviceFiles files;
  std::vector<ReadOp> ops;  // by slot

  std::mutex mutex;  // of all below, and of the slots that are in the queues
  std::condition_variable work;
  std::condition_variable done;
  FixedQueue<std::uint32_t> waiting;
  FixedQueue<Finished> finished;
  std::size_t needed = 0;     // what a waiting reap() waits for
  std::uint32_t reading = 0;  // threads that are in a read
  bool stopping = false;
};

void Shared::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [&] { return stopping || waiting.size() > 0; });
    if (stopping) return;
    const std::uint32_t slot = waiting.pop();
    const ReadOp op = ops[slot];
    ++reading;
    lock.unlock();
    const int error = read_now(files, op);
    lock.lock();
    --reading;
    finished.push({slot, error});
    if (stopping || finished.size() == needed) done.notify_one();
  }
}

class PreadDevice final : public Device {
 public:
  PreadDevice(DeviceFiles files, const DeviceOptions& options)
      : shared_(std::make_shared<Shared>(std::move(files), options.depth)),
        timeout_(options.depth, options.read_timeout_us) {
    free_.reserve(options.depth);
    for (std::uint32_t slot = options.depth; slot-- > 0;) free_.push_back(slot);
  }

  ~PreadDevice() override {
    const bool left = !PreadDevice::drain();
    for (std::thread& thread : threads_) left ? thread.detach() : thread.join();
  }

  /// A thread finishes the read it is in; what no thread has begun is never begun.
  bool drain() override {
    std::unique_lock lock(shared_->mutex);
    shared_->stopping = true;
    shared_->work.notify_all();
    while (shared_->waiting.size() > 0) end(shared_->waiting.pop());
    while (!stuck() && shared_->reading > 0) {
      while (shared_->finished.size() > 0) end(shared_->finished.pop().slot);
      if (all_in_time()) shared_->done.wait_for(lock, longest_wait());
    }
    return shared_->reading == 0;
  }

  /// Starts up to `count` threads; returns how many the system granted.
  std::uint32_t start_threads(std::uint32_t count) {
    threads_.reserve(count);
    try {
      while (threads_.size() < count) threads_.emplace_back([shared = shared_] { shared->run(); });
    } catch (const std::system_error&) {
      // RLIMIT_NPROC or a cgroup: fewer threads give the same bytes more slowly.
    }
    return static_cast<std::uint32_t>(threads_.size());
  }

  std::uint32_t depth() const override { return static_cast<std::uint32_t>(shared_->ops.size()); }
  std::uint32_t in_flight() const override {
    return depth() - static_cast<std::uint32_t>(free_.size());
  }

  Result<std::uint32_t> submit(std::span<const ReadOp> ops) override {
    CAIRN_TRY(shared_->files.check(ops));
    if (stuck()) return fail(overdue());
    const auto count = std::min(ops.size(), free_.size());
    const std::int64_t now_us = timeout_.now();
    {
      const std::lock_guard lock(shared_->mutex);
      for (const ReadOp& op : ops.first(count)) {
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        timeout_.begin(slot, now_us);
        shared_->ops[slot] = op;
        shared_->waiting.push(slot);
      }
    }
    if (count == 1) shared_->work.notify_one();
    if (count > 1) shared_->work.notify_all();
    return static_cast<std::uint32_t>(count);
  }

  Result<std::uint32_t> reap(std::span<ReadDone> done, std::uint32_t wait_min,
                             std::int64_t timeout_us) override {
    if (stuck()) return fail(overdue());
    const Clock::time_point since = timeout_us > 0 ? Clock::now() : Clock::time_point{};
    const std::size_t need = std::min<std::size_t>({wait_min, in_flight(), done.size()});
    std::unique_lock lock(shared_->mutex);
    std::uint32_t count = 0;
    for (bool in_time = true;;) {
      for (; count < done.size() && shared_->finished.size() > 0; ++count) {
        const auto [slot, error] = shared_->finished.pop();
        done[count] = {.tag = shared_->ops[slot].tag, .error = error};
        end(slot);
      }
      // Where there was no room for all, those that are left are not late.
      if (count < done.size() && !all_in_time()) {
        if (count > 0) return count;  // the next call says so
        return fail(overdue());
      }
      if (count >= need || !in_time) return count;
      shared_->needed = need - count;
      in_time = wait_once(lock, timeout_us, since);
    }
  }

  Backend backend() const override { return Backend::pread; }
  bool stuck() const override { return overdue_.has_value(); }
  bool usable() const override { return !stuck(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// Waits for what is needed, until the time is over - false - or all_in_time() has to be asked.
  bool wait_once(std::unique_lock<std::mutex>& lock, std::int64_t timeout_us,
                 Clock::time_point since) {
    std::chrono::microseconds left = longest_wait();
    if (timeout_us >= 0) {
      const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(
          timeout_us > 0 ? Clock::now() - since : Clock::duration::zero());
      if (timeout_us <= passed.count()) return false;
      left = std::min(left, std::chrono::microseconds(timeout_us) - passed);
    }
    shared_->done.wait_for(lock, left, [&] { return shared_->finished.size() >= shared_->needed; });
    return true;
  }

  /// Until a read may be late. Capped: the standard's deadline arithmetic would overflow.
  std::chrono::microseconds longest_wait() const {
    const std::int64_t look_us = timeout_.wait_max_us();
    return std::chrono::microseconds(look_us >= 0 ? look_us : kTimeoutMaxUs);
  }

  void end(std::uint32_t slot) {
    timeout_.end(slot);
    free_.push_back(slot);
  }
  /// To be asked when nothing that has finished is left to be taken.
  bool all_in_time() {
    overdue_ = timeout_.overdue();
    return !overdue_;
  }
  Error overdue() const {
    return shared_->files.overdue(shared_->ops[*overdue_], timeout_.timeout_us());
  }

  const std::shared_ptr<Shared> shared_;
  // The owner's alone:
  ReadTimeout timeout_;
  std::optional<std::uint32_t> overdue_;  // slot of a read that did not come back in time
  std::vector<std::uint32_t> free_;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_pread_device(DeviceFiles files, const DeviceOptions& options) {
  auto device = std::make_unique<PreadDevice>(files, options);
  if (device->start_threads(std::min(options.pread_threads, options.depth)) > 0) return device;
  return make_sync_device(std::move(files), options);
}

}  // namespace cairn::io
