// What the campaign of faults runs: each workload once while a fault strikes, and once more after.
#pragma once

#include <cairn/index.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/reliability/os_faults.h"

namespace cairn::reliability {

class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::string name() const = 0;
  /// Brings about the state that attempt() begins from.
  virtual void prepare() = 0;
  /// Runs while a fault of this kind may strike. Nothing when all that came of it is right or a
  /// clean error, else what is wrong.
  virtual std::string attempt(os_faults::Kind kind) = 0;
  /// The same work after the fault: it has to be done, and right.
  virtual std::string again() = 0;
  /// A read that takes longer counts as lost. For the next prepare(); default: a long time.
  void set_read_timeout_ms(std::uint32_t timeout_ms) { read_timeout_ms_ = timeout_ms; }
  /// Whether threads of a pool read files: one that hangs is left behind. What reads for itself
  /// waits for as long as the kernel does.
  virtual bool reads_by_a_pool() const { return false; }
  /// A campaign tries one of so many points: what measures recall opens an index dozens of times.
  virtual std::uint64_t points_every() const { return 1; }
  /// It is allocations that fail: errors say so, and name a file or not. `strike` turns failing on
  /// while the program is called, and off while what it gave is judged.
  void expect_out_of_memory(std::function<void(bool on)> strike) {
    of_memory_ = true;
    strike_ = std::move(strike);
  }
  /// Whether attempt() ended with an error.
  bool failed() const { return failed_; }

 protected:
  static constexpr std::uint64_t kPointsEveryOfRecall = 17;
  /// Forgets earlier errors.
  void begin() {
    failed_ = false;
    std::string().swap(last_error_);
  }
  /// Notes an error; what is unclean about it, if anything.
  std::string note(const Error& error);
  /// What `call` gives; faults may strike in it. It must not allocate for itself.
  template <class Call>
  auto during(const Call& call) const {
    if (strike_) strike_(true);
    auto result = call();
    if (strike_) strike_(false);
    return result;
  }
  bool failed_ = false;
  std::string last_error_;
  std::uint32_t read_timeout_ms_ = 20'000;

 private:
  bool of_memory_ = false;
  std::function<void(bool)> strike_;
};

/// All of them, over folders in `scratch`.
std::vector<std::unique_ptr<Workload>> make_workloads(const std::string& scratch);

}  // namespace cairn::reliability
