// A file whose reads come back when the test wants them to.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "io/fs.h"

namespace cairn::io {

/// The reading end of a pipe, given out as a file.
class PipeFile final : public ReadFile {
 public:
  PipeFile() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  ~PipeFile() override {
    ::close(ends_[0]);
    close_writer();
  }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  Status read(std::uint64_t, std::span<std::byte>) const override { return {}; }
  std::uint64_t bytes() const override { return std::uint64_t{1} << 30; }
  const std::string& path() const override { return path_; }
  int fd() const override { return ends_[0]; }
  std::uint32_t alignment_bytes() const override { return 1; }

 private:
  std::string path_ = "pipe";
  int ends_[2] = {-1, -1};
};

}  // namespace cairn::io
