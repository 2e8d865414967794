// Which errors may come of which faults of the system.
#pragma once

#include <string>

#include "tests/reliability/fault_workloads.h"
#include "tests/reliability/os_faults.h"

namespace cairn::reliability {

/// Holds an error against the calls that went wrong: one of them has to explain its code and the
/// file that it names.
class StrikeJudge final : public Judge {
 public:
  std::string wrong(const Error& error) const override;
  bool misread(const std::string& path) const override;
  /// A time limit is so short that a busy machine passes it without a fault.
  void set_short_of_time(bool is_short) { short_of_time_ = is_short; }

 private:
  bool short_of_time_ = false;
};

}  // namespace cairn::reliability
