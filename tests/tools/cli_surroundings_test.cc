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
#include <cstdio>
#include <filesystem>

#include "tests/sanitized.h"
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
  /// `out`: where standard output goes instead.
  explicit OnTerminal(std::vector<std::string> args, const std::string& out = {}) {
    child_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ != 0) return;
    std::vector<char*> argv{const_cast<char*>(cairn_binary())};
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    if (!out.empty() && std::freopen(out.c_str(), "w", stdout) == nullptr) ::_exit(126);
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

/// What lies in a folder beside the output of run_cairn(), sorted.
std::vector<std::string> names_in(const ScratchDir& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    if (file.path().extension() != ".txt") names.push_back(file.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// An index of 2000 vectors of 24 bytes in `index`, made of `base.u8bin`.
void make_index(const ScratchDir& folder) {
  run_ok(folder, {"generate", "--count", "2000", "--dim", "24", "--dtype", "u8", "--seed", "3",
                  "--output", "base.u8bin"});
  run_ok(folder, {"build", "--input", "base.u8bin", "--index", "index", "--codes", "8",
                  "--calibration-rows", "20", "--quiet"});
}

TEST(Progress, OfASearchIsShownWhenItsResultsGoElsewhere) {
  const ScratchDir folder;
  make_index(folder);
  run_ok(folder, {"generate", "--count", "40000", "--dim", "24", "--dtype", "u8", "--seed", "4",
                  "--output", "many.u8bin"});
  const std::vector<std::string> args = {
      "search",      "--index", folder.file("index"), "--queries", folder.file("many.u8bin"),
      "--list-size", "1000"};
  OnTerminal elsewhere(args, folder.file("out.txt"));
  EXPECT_TRUE(elsewhere.wait_for(" left"));
  EXPECT_NE(elsewhere.end().find("search: "), std::string::npos);
}

TEST(Streams, AReaderThatLeavesIsAnErrorAndTheOutputIsRemoved) {
  const ScratchDir folder;
  make_index(folder);
  // 2000 rows of 100 are far more than a pipe holds, so that the writer meets its closed end.
  const Ran ran = run_shell(folder,
                            "\"$cairn\" search --index index --queries base.u8bin -k 100 --json "
                            "--output r.bin | head -n 1; exit ${PIPESTATUS[0]}");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out.find("{\"labels\":["), 0U) << ran.out;
  EXPECT_EQ(ran.err, "cairn search: io: write to standard output: found Broken pipe\n");
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"base.u8bin", "index"}));
}

TEST(Streams, AFullStandardErrorIsNoReasonToAbort) {
  const ScratchDir folder;
  EXPECT_EQ(run_shell(folder, "\"$cairn\" fly 2>/dev/full").code, 2);
  EXPECT_EQ(run_shell(folder, "\"$cairn\" inspect none 2>/dev/full").code, 1);
  EXPECT_EQ(run_shell(folder, "\"$cairn\" inspect none 2>&-").code, 1);
}

TEST(Streams, AFullStandardOutputFailsHelpToo) {
  const ScratchDir folder;
  for (const char* what : {"--help", "--version", "build --help"}) {
    const Ran ran = run_shell(folder, "\"$cairn\" " + std::string(what) + " >/dev/full");
    EXPECT_EQ(ran.code, 1) << what;
    EXPECT_NE(ran.err.find("standard output"), std::string::npos) << ran.err;
  }
}

TEST(Streams, AFileLeftByAKilledRunOfTheSameProcessIdIsReplaced) {
  const ScratchDir folder;
  const Ran ran = run_shell(folder,
                            "echo stale >x.u8bin.part-$$; exec \"$cairn\" generate --count 10 "
                            "--dim 24 --dtype u8 --seed 3 --output x.u8bin");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(std::filesystem::file_size(folder.file("x.u8bin")), 8 + 10 * 24U);
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"x.u8bin"}));
}

TEST(Limits, ThreadsThatCannotBeStartedAreAnError) {
  if (kSanitized) GTEST_SKIP() << "sanitizers reserve more address space than any limit allows";
  const ScratchDir folder;
  make_index(folder);
  const Ran ran = run_shell(folder,
                            "ulimit -v 400000; exec \"$cairn\" recall --index index --queries "
                            "base.u8bin --threads 1024 --io pread --quiet");
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_EQ(ran.err.find("cairn recall: "), 0U) << ran.err;
  EXPECT_EQ(ran.err.find('\n'), ran.err.size() - 1) << ran.err;
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

TEST(NoRoom, OfAConversionIsAnErrorAndLeavesNothing) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "50000", "--dim", "24", "--dtype", "u8", "--seed", "3",
                  "--output", "a.u8bin"});
  const Ran convert = run_limited(folder, 100000, {"convert", "a.u8bin", "b.u8bin"});
  EXPECT_EQ(convert.code, 1);
  EXPECT_NE(convert.err.find("b.u8bin"), std::string::npos) << convert.err;
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"a.u8bin"}));
}

TEST(NoRoom, OfABuildIsAnErrorAndTheSameCommandGoesOn) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "1000", "--dim", "24", "--dtype", "u8", "--seed", "3",
                  "--output", "few.u8bin"});
  const std::vector<std::string> build = {"build", "--input", "few.u8bin", "--index",
                                          "i",     "--codes", "8",         "--calibration-rows",
                                          "20",    "--quiet"};
  // Nothing is kept of what ends before the input was read once.
  EXPECT_EQ(run_limited(folder, 4096, build).code, 1);
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"few.u8bin"}));
  const Ran refused = run_limited(folder, 30000, build);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("i.building"), std::string::npos) << refused.err;
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"few.u8bin", "i.building"}));
  EXPECT_EQ(run_cairn(folder, build).code, 0);
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"few.u8bin", "i"}));
  run_ok(folder, {"verify", "i"});
}

}  // namespace
}  // namespace cairn::tools
