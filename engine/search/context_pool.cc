#include "engine/search/context_pool.h"

namespace cairn::search {
namespace {

/// More idle drivers than this are closed: a burst of threads must not hold its memory for ever.
constexpr std::size_t kIdleMax = 64;

}  // namespace

ContextPool::ContextPool(const Snapshot& snapshot, IoTotals& totals,
                         const io::DeviceOptions& device,
                         std::function<void(const std::string&)> log)
    : snapshot_(&snapshot), totals_(&totals), device_(device), log_(std::move(log)) {
  idle_.reserve(kIdleMax);  // give_back() must not fail
}

Result<ContextPool::Lease> ContextPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
  }
  CAIRN_ASSIGN(auto driver, make(true));
  return Lease(*this, std::move(driver));
}

Result<std::unique_ptr<Driver>> ContextPool::make_for_one_thread() { return make(false); }

Result<std::unique_ptr<Driver>> ContextPool::make(bool any_thread) {
  io::DeviceOptions device = device_;
  device.any_thread = any_thread;
  std::string reason;
  CAIRN_ASSIGN(auto driver, Driver::create(*snapshot_, *totals_, device, &reason));
  if (reason.empty() || !log_) return driver;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(said_fallback_, true)) return driver;
  }
  log_(reason);
  return driver;
}

void ContextPool::give_back(std::unique_ptr<Driver> driver) {
  driver->shrink();
  const std::lock_guard lock(mutex_);
  if (idle_.size() == kIdleMax) return;
  idle_.push_back(std::move(driver));
}

}  // namespace cairn::search
