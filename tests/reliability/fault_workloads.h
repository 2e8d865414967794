// What the campaign of faults runs: each workload once while a fault strikes, and once more after.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <string>
#include <vector>

namespace cairn::reliability {

/// What a campaign knows of the faults that it makes.
class Judge {
 public:
  virtual ~Judge() = default;
  /// What is wrong with an error, after the faults that struck: it must be explained by one of
  /// them.
  virtual std::string wrong(const Error& error) const = 0;
  /// Whether another part of that file was read than was asked for.
  virtual bool misread(const std::string&) const { return false; }
  /// Called around each call of the program: what gives of it is judged without faults.
  virtual void strike(bool) const {}
};

/// Whether a read did not come back in time.
bool is_time_out(const Error& error);

class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::string name() const = 0;
  /// Brings about the state that attempt() begins from.
  virtual void prepare() = 0;
  /// Runs while faults may strike. Nothing when all that came of it is right or a clean error, else
  /// what is wrong.
  virtual std::string attempt() = 0;
  /// The same work after the fault: it has to be done, and right.
  std::string again();
  /// Whether that failed by reads that did not come back in time, and gave nothing wrong.
  bool timed_out() const { return timed_out_; }
  /// A read that takes longer counts as lost. For the next prepare(); default: a long time.
  void set_read_timeout_ms(std::uint32_t timeout_ms) { read_timeout_ms_ = timeout_ms; }
  /// Whether threads of a pool read files: one that hangs is left behind. What reads for itself
  /// waits for as long as the kernel does.
  virtual bool reads_by_a_pool() const { return false; }
  /// A campaign tries one of so many points: what measures recall opens an index dozens of times.
  virtual std::uint64_t points_every() const { return 1; }
  /// `judge` must outlive what is done from here on.
  void set_judge(const Judge& judge) { judge_ = &judge; }
  /// Whether attempt() ended with an error.
  bool failed() const { return failed_; }

 protected:
  static constexpr std::uint64_t kPointsEveryOfRecall = 17;
  /// The work of again(): notes errors, each of which is one too many, and says what else is wrong.
  virtual std::string redo() = 0;
  /// Forgets earlier errors.
  void begin() {
    failed_ = false;
    only_time_outs_ = true;
    std::string().swap(last_error_);
  }
  /// Notes an error; what is unclean about it, if anything.
  std::string note(const Error& error);
  /// What `call` gives; faults may strike in it. It must not allocate for itself.
  template <class Call>
  auto during(const Call& call) const {
    judge_->strike(true);
    auto result = call();
    judge_->strike(false);
    return result;
  }
  const Judge& judge() const { return *judge_; }
  bool failed_ = false;
  std::string last_error_;
  std::uint32_t read_timeout_ms_ = 20'000;

 private:
  const Judge* judge_ = nullptr;
  bool afterwards_ = false, only_time_outs_ = true, timed_out_ = false;
};

/// All of them, over folders in `scratch`.
std::vector<std::unique_ptr<Workload>> make_workloads(const std::string& scratch);

}  // namespace cairn::reliability
