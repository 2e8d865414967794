// Drivers for calls that search on the caller's thread: one is taken for a call and given back, so
// that rings and tables are made once a concurrent thread and not once a query.
#pragma once

#include <cairn/result.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/search/driver.h"

namespace cairn::search {

/// Thread-safe.
class ContextPool {
 public:
  /// A driver on loan. Must be gone before the pool is.
  class Lease {
   public:
    Lease(ContextPool& pool, std::unique_ptr<Driver> driver)
        : pool_(&pool), driver_(std::move(driver)) {}
    Lease(Lease&&) noexcept = default;
    ~Lease() {
      if (driver_) pool_->give_back(std::move(driver_));
    }
    Driver* operator->() const { return driver_.get(); }

   private:
    ContextPool* pool_;
    std::unique_ptr<Driver> driver_;
  };

  /// `snapshot` must outlive the pool. `log` may be empty.
  ContextPool(const Snapshot& snapshot, IoTotals& totals, const io::DeviceOptions& device,
              std::function<void(const std::string&)> log);

  /// An idle driver, or a new one. Errors of Driver::create.
  Result<Lease> take();

  /// A driver that is not of the pool and belongs to one thread.
  Result<std::unique_ptr<Driver>> make_for_one_thread();

 private:
  Result<std::unique_ptr<Driver>> make(bool any_thread);
  void give_back(std::unique_ptr<Driver> driver);

  const Snapshot* snapshot_;
  IoTotals* totals_;
  io::DeviceOptions device_;
  std::function<void(const std::string&)> log_;
  std::mutex mutex_;  // of all below
  std::vector<std::unique_ptr<Driver>> idle_;
  bool said_fallback_ = false;
};

}  // namespace cairn::search
