// Registers a benchmark once for each path of this machine that is worth measuring.
#pragma once

#include <benchmark/benchmark.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "tests/engine/math/rows.h"

namespace cairn::math {

/// "a/b/c"
inline std::string joined(std::initializer_list<std::string_view> parts) {
  std::string name;
  for (const std::string_view part : parts) {
    if (!name.empty()) name.push_back('/');
    name.append(part);
  }
  return name;
}

template <class Body>
void on_every_path(const std::string& name, Body body) {
  for (const std::int64_t path : supported_paths()) {
    if (path == HWY_SCALAR || path == HWY_EMU128) continue;
    const std::string full = joined({name, hwy::TargetName(path)});
    benchmark::RegisterBenchmark(full.c_str(), [path, body](benchmark::State& state) {
      hwy::SetSupportedTargetsForTest(path);
      body(state);
      hwy::SetSupportedTargetsForTest(0);
    })->MinTime(0.1);
  }
}

/// Reports `per_iteration` operations as time each: "12.3n" is nanoseconds.
inline void report_each(benchmark::State& state, double per_iteration) {
  state.counters["each"] = benchmark::Counter(
      per_iteration, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace cairn::math
