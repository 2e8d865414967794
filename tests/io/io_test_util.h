// Shared by the tests of io/: a scratch folder on a real file system, known file contents, aligned
// memory, children with a limit or a filter, and unwrapping of results with the error's text.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/fs.h"

namespace cairn::io {

/// A fresh folder under $TMPDIR (else /tmp), removed at the end.
class ScratchDir {
 public:
  ScratchDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/cairn-io-" +
            std::string(6, 'X');  // for mkdtemp
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The value of `result`; the test ends with the error's text when there is none.
template <class T>
T must(Result<T> result, const char* what = "result") {
  if (!result) {
    ADD_FAILURE() << what << ": " << result.error().to_string();
    std::fprintf(stderr, "%s: %s\n", what, result.error().to_string().c_str());
    std::abort();
  }
  return std::move(*result);
}

inline ::testing::AssertionResult ok(const Status& status) {
  if (status) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.error().to_string();
}

/// Bytes that tell every 4 KiB page from every other.
inline std::vector<std::byte> random_bytes(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> result(bytes);
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(result.data() + at, &word, std::min(sizeof word, bytes - at));
  }
  return result;
}

inline void write_file(Fs& fs, const std::string& path, std::span<const std::byte> bytes) {
  auto file = must(fs.create(path), "create");
  ASSERT_TRUE(ok(file->append(bytes)));
  ASSERT_TRUE(ok(file->sync()));
  ASSERT_TRUE(ok(file->close()));
}

/// 4096-aligned memory.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(std::aligned_alloc(4096, bytes))) {}
  std::byte* data() { return data_.get(); }
  std::span<std::byte> span() { return {data_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> data_;
};

/// Runs `body` in a child process, so that limits and filters stay there; returns its exit code,
/// or 256 + the signal that ended it.
inline int in_child(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

}  // namespace cairn::io
