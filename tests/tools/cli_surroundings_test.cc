// What surrounds the command: a terminal or none, a disk with no room.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;

/// Work of minutes, to be interrupted.
std::vector<std::string> long_work(const std::string& output, bool quiet) {
  std::vector<std::string> args = {"generate", "--count", "400000000", "--dim",    "24",  "--dtype",
                                   "u8",       "--seed",  "3",         "--output", output};
  if (quiet) args.emplace_back("--quiet");
  return args;
}

/// The command on a terminal of its own.
class OnTerminal {
 public:
  explicit OnTerminal(std::vector<std::string> args) {
    child_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ != 0) return;
    std::vector<char*> argv{const_cast<char*>(cairn_binary())};
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  /// Reads until `word` was written, half a minute at most.
  bool wait_for(const std::string& word) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (text_.find(word) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
      pollfd ready = {terminal_, POLLIN, 0};
      if (::poll(&ready, 1, 100) > 0 && !read_some()) break;
    }
    return text_.find(word) != std::string::npos;
  }

  /// Interrupts it and gives all that it wrote.
  std::string end() {
    ::kill(child_, SIGINT);
    while (read_some()) {
    }
    ::close(terminal_);
    ::waitpid(child_, nullptr, 0);
    return text_;
  }

 private:
  bool read_some() {
    char part[4096];
    // A terminal whose other end is closed gives EIO.
    const ssize_t n = ::read(terminal_, part, sizeof part);
    if (n > 0) text_.append(part, static_cast<std::size_t>(n));
    return n > 0;
  }

  std::string text_;
  int terminal_ = -1;
  pid_t child_ = -1;
};

TEST(Progress, IsShownOnATerminalAloneAfterTwoSeconds) {
  const ScratchDir folder;
  const auto start = std::chrono::steady_clock::now();
  OnTerminal quiet(long_work(folder.file("b.u8bin"), true));
  const CairnProcess none(folder, long_work("c.u8bin", false));
  OnTerminal shown(long_work(folder.file("a.u8bin"), false));
  EXPECT_TRUE(shown.wait_for(" left"));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds{2});

  const std::string text = shown.end();
  EXPECT_NE(text.find("generate: "), std::string::npos) << text;
  EXPECT_NE(text.find(" %, "), std::string::npos) << text;
  EXPECT_NE(text.find("/s, "), std::string::npos) << text;
  const std::string line = quiet.end();
  EXPECT_EQ(line.find('%'), std::string::npos) << line;
  EXPECT_NE(line.find("cancelled"), std::string::npos) << line;
  ASSERT_EQ(::kill(none.pid(), SIGTERM), 0);
  EXPECT_EQ(none.wait().err, "cairn generate: cancelled: terminated\n");
}

/// Runs the command where no file may grow beyond `bytes`: to it, the disk is full.
Ran run_limited(const ScratchDir& folder, rlim_t bytes, const std::vector<std::string>& args) {
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // inherited: write() fails instead
  const rlimit limit = {bytes, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  Ran ran = run_cairn(folder, args);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  return ran;
}

TEST(NoRoom, IsAnErrorAndLeavesNothing) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "50000", "--dim", "24", "--dtype", "u8", "--seed", "3",
                  "--output", "a.u8bin"});
  const Ran convert = run_limited(folder, 100000, {"convert", "a.u8bin", "b.u8bin"});
  EXPECT_EQ(convert.code, 1);
  EXPECT_NE(convert.err.find("b.u8bin"), std::string::npos) << convert.err;
  run_ok(folder, {"convert", "a.u8bin", "few.u8bin", "--take", "1000"});
  const Ran build = run_limited(
      folder, 20000, {"build", "--input", "few.u8bin", "--index", "i", "--codes", "8", "--quiet"});
  EXPECT_EQ(build.code, 1);
  EXPECT_FALSE(build.err.empty());
  std::vector<std::string> left;
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    left.push_back(file.path().filename());
  std::sort(left.begin(), left.end());
  EXPECT_EQ(left, (std::vector<std::string>{"a.u8bin", "few.u8bin", "stderr.txt", "stdout.txt"}));
}

}  // namespace
}  // namespace cairn::tools
