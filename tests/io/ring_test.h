// For tests of rings: whether this machine forbids them, and a file to read from.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/device.h"
#include "tests/io/io_test_util.h"

namespace cairn::io {

/// Why there can be no ring here; nothing where there can.
inline std::string ring_refused() {
  const auto probe = make_device({}, {.backend = Backend::uring}, nullptr);
  return probe ? "" : probe.error().to_string();
}

/// A file of some pages of random bytes, open for direct reads; skipped where rings are forbidden.
class RingTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kPage = 4096;

  explicit RingTest(std::uint32_t pages) : bytes_(random_bytes(pages * kPage, 21)) {}
  void SetUp() override {
    if (const std::string why = ring_refused(); !why.empty()) GTEST_SKIP() << why;
    write_file(posix_fs(), dir_.file("a"), bytes_);
    file_ = must(posix_fs().open(dir_.file("a"), true));
    files_[0] = file_.get();
  }

  ScratchDir dir_;
  std::vector<std::byte> bytes_;
  std::unique_ptr<ReadFile> file_;
  const ReadFile* files_[1] = {};
};

}  // namespace cairn::io
