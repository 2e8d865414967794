// What is to be planned, and figures that are not sure.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn::tools::plan {

/// What the user states.
struct Workload {
  std::uint64_t count = 0;
  std::uint32_t dim = 0;
  DType dtype = DType::f32;
  Metric metric = Metric::l2;
  std::uint32_t k = 10;
  double recall = 0.95;
  std::optional<double> qps = {}, p99_s = {};
  std::optional<std::uint64_t> memory_bytes = {};  // that the index may take

  std::uint64_t row_bytes() const { return std::uint64_t{dim} * dtype_bytes(dtype); }
};

/// A figure and the interval that holds it nine times in ten.
struct Estimate {
  double value = 0, low = 0, high = 0;

  static Estimate exact(double value) { return {value, value, value}; }
  /// `share` of 0.2: 20 % either way.
  static Estimate within(double value, double share) {
    return {value, value * (1 - share), value * (1 + share)};
  }
  Estimate times(double factor) const { return {value * factor, low * factor, high * factor}; }
};

}  // namespace cairn::tools::plan
