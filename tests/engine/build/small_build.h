// A build that is over in milliseconds and still has every part of one.
#pragma once

#include <cairn/builder.h>

namespace cairn::build {

/// One thread, no recall measured.
inline BuildOptions small_build(std::uint32_t partitions) {
  BuildOptions options;
  options.degree = 8;
  options.code_bytes = 2;
  options.refine_bytes = 2;
  options.threads = 1;
  options.partitions = partitions;
  options.calibration_rows = 0;
  options.memory_bytes = std::uint64_t{1} << 30;
  return options;
}

}  // namespace cairn::build
