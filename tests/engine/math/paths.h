// Runs a test once on each instruction set this machine has.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/engine/math/rows.h"

namespace cairn::math {

inline std::string path_name(const testing::TestParamInfo<std::int64_t>& info) {
  return hwy::TargetName(info.param);
}

/// Forces the path of the parameter for the life of the test.
class OnPath : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

#define CAIRN_ON_EVERY_PATH(Suite) \
  INSTANTIATE_TEST_SUITE_P(Paths, Suite, testing::ValuesIn(supported_paths()), path_name)

}  // namespace cairn::math
