// The instruction sets of this machine and seeded random rows, for tests and benchmarks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/math/simd_targets.h"

// After the list of targets.
#include <hwy/targets.h>

namespace cairn::math {

inline std::vector<std::int64_t> supported_paths() {
  std::vector<std::int64_t> paths;
  const std::int64_t known = (HWY_AVX3 | HWY_AVX2 | HWY_SSE4 | HWY_NEON) & ~HWY_STATIC_TARGET;
  for (std::int64_t left = hwy::SupportedTargets() & known; left != 0; left &= left - 1)
    paths.push_back(left & -left);
  // What the compiler's baseline gives: portable code where the baseline has no kernels.
  paths.push_back(HWY_STATIC_TARGET);
  return paths;
}

inline std::vector<std::uint8_t> random_bytes(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float scale = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (auto& value : values) value = normal(random);
  return values;
}

}  // namespace cairn::math
