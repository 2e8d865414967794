// A pool of threads that pread: for kernels and containers that refuse io_uring.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "io/device_files.h"

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

class PreadDevice final : public Device {
 public:
  PreadDevice(DeviceFiles files, std::uint32_t depth)
      : files_(std::move(files)), depth_(depth), waiting_(depth), finished_(depth) {}

  ~PreadDevice() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    // A thread finishes the read it is in; what no thread has begun is never begun.
    for (std::thread& thread : threads_) thread.join();
  }

  /// Starts up to `count` threads; returns how many the system granted.
  std::uint32_t start_threads(std::uint32_t count) {
    threads_.reserve(count);
    try {
      while (threads_.size() < count) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
      // RLIMIT_NPROC or a cgroup: fewer threads give the same bytes more slowly.
    }
    return static_cast<std::uint32_t>(threads_.size());
  }

  std::uint32_t depth() const override { return depth_; }
  std::uint32_t in_flight() const override { return in_flight_; }

  Result<std::uint32_t> submit(std::span<const ReadOp> ops) override {
    CAIRN_TRY(files_.check(ops));
    const auto count = std::min<std::size_t>(ops.size(), depth_ - in_flight_);
    {
      const std::lock_guard lock(mutex_);
      for (const ReadOp& op : ops.first(count)) waiting_.push(op);
    }
    if (count == 1) work_.notify_one();
    if (count > 1) work_.notify_all();
    in_flight_ += static_cast<std::uint32_t>(count);
    return static_cast<std::uint32_t>(count);
  }

  Result<std::uint32_t> reap(std::span<ReadDone> done, std::uint32_t wait_min,
                             std::int64_t timeout_us) override {
    const std::size_t need = std::min<std::size_t>({wait_min, in_flight_, done.size()});
    std::unique_lock lock(mutex_);
    needed_ = need;
    const auto enough = [&] { return finished_.size() >= need; };
    if (timeout_us < 0) {
      done_.wait(lock, enough);
    } else {
      // Capped: the standard's deadline arithmetic would overflow on a very large limit.
      done_.wait_for(lock, std::chrono::microseconds(std::min(timeout_us, kTimeoutMaxUs)), enough);
    }
    const std::size_t count = std::min(done.size(), finished_.size());
    for (std::size_t i = 0; i < count; ++i) done[i] = finished_.pop();
    in_flight_ -= static_cast<std::uint32_t>(count);
    return static_cast<std::uint32_t>(count);
  }

  Backend backend() const override { return Backend::pread; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [&] { return stopping_ || waiting_.size() > 0; });
      if (stopping_) return;
      const ReadOp op = waiting_.pop();
      lock.unlock();
      const ReadDone result{.tag = op.tag, .error = read_now(files_, op)};
      lock.lock();
      finished_.push(result);
      if (finished_.size() == needed_) done_.notify_one();
    }
  }

  const DeviceFiles files_;
  const std::uint32_t depth_;
  std::uint32_t in_flight_ = 0;  // the owner's alone

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  FixedQueue<ReadOp> waiting_;
  FixedQueue<ReadDone> finished_;
  std::size_t needed_ = 0;  // what a waiting reap() waits for
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_pread_device(DeviceFiles files, const DeviceOptions& options) {
  auto device = std::make_unique<PreadDevice>(files, options.depth);
  if (device->start_threads(std::min(options.pread_threads, options.depth)) > 0) return device;
  return make_sync_device(std::move(files), options);
}

}  // namespace cairn::io
