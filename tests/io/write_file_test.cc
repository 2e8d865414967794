#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "io/fs.h"
#include "tests/io/io_test_util.h"
#include "tests/io/seccomp.h"

namespace cairn::io {
namespace {

constexpr WriteMode kBoth[] = {WriteMode::buffered, WriteMode::direct};

std::vector<std::byte> contents(const std::string& path) {
  const auto file = must(posix_fs().open(path, false));
  std::vector<std::byte> bytes(file->bytes());
  EXPECT_TRUE(ok(file->read(0, bytes)));
  return bytes;
}

/// Appends `bytes` in parts of random lengths, from memory that is aligned now and then.
Status append_in_parts(WriteFile& file, std::span<const std::byte> bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<std::size_t> mosts = {10, 5000, 3 * 4096, 3'000'000};
  while (!bytes.empty()) {
    std::size_t part = std::min<std::size_t>(bytes.size(), random() % mosts[random() % 4]);
    if (random() % 4 == 0) part = std::min<std::size_t>(bytes.size(), 4096 * (random() % 500));
    AlignedBytes memory((part + 2 * 4096) / 4096 * 4096);
    const std::size_t shift = random() % 2 == 0 ? 0 : random() % 4096;
    std::copy_n(bytes.begin(), part, memory.data() + shift);
    CAIRN_TRY(file.append(memory.span().subspan(shift, part)));
    bytes = bytes.subspan(part);
  }
  return {};
}

TEST(DirectWrites, OfOddLengthsAndAlignmentsEqualBufferedOnes) {
  const ScratchDir dir;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const auto bytes = random_bytes(5'000'000 + seed * 1111, seed);
    for (const WriteMode mode : kBoth) {
      const std::string path = dir.file(mode == WriteMode::direct ? "direct" : "buffered");
      auto file = must(posix_fs().create(path, mode));
      ASSERT_TRUE(ok(append_in_parts(*file, bytes, seed)));
      EXPECT_EQ(file->bytes_written(), bytes.size());
      EXPECT_EQ(must(posix_fs().file_bytes(path)), bytes.size()) << "nothing is held back";
      ASSERT_TRUE(ok(file->sync()));
      ASSERT_TRUE(ok(file->close()));
      ASSERT_EQ(contents(path), bytes);
      ASSERT_TRUE(ok(posix_fs().remove(path)));
    }
  }
}

/// Status flags of the descriptor this process has open on `path`; -1 when there is none.
int open_flags(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (std::filesystem::read_symlink(entry.path(), ignored) == path)
      return ::fcntl(std::stoi(entry.path().filename().string()), F_GETFL);
  }
  return -1;
}

TEST(DirectWrites, WholeUnitsGoPastThePageCache) {
  const ScratchDir dir;
  const std::string path = dir.file("a");
  write_file(posix_fs(), path, random_bytes(4096, 1));
  if (must(posix_fs().open(path, true))->alignment_bytes() == 1)
    GTEST_SKIP() << "this file system takes no O_DIRECT";
  AlignedBytes memory(3 * 4096);
  for (const WriteMode mode : kBoth) {
    const int expected = mode == WriteMode::direct ? O_DIRECT : 0;
    auto file = must(posix_fs().reopen(path, 4096, mode));
    ASSERT_TRUE(ok(file->append(memory.span())));
    EXPECT_EQ(open_flags(path) & O_DIRECT, expected);
    ASSERT_TRUE(ok(file->append(memory.span().first(5000))));
    EXPECT_EQ(open_flags(path) & O_DIRECT, 0) << "the tail";
    ASSERT_TRUE(ok(file->append(memory.span().first(3 * 4096 - 5000 + 4096))));
    EXPECT_EQ(open_flags(path) & O_DIRECT, expected) << "whole units again, from odd memory";
    EXPECT_EQ(open_flags(path) & O_NONBLOCK, 0);
  }
}

TEST(DirectWrites, GoBufferedWhereTheyAreRefused) {
  const ScratchDir dir;
  const auto bytes = random_bytes(3 * 4096 + 5, 9);
  for (const int error : {EINVAL, EOPNOTSUPP}) {
    const std::string path = dir.file(std::to_string(error));
    EXPECT_EQ(in_child([&] {
                // Both ways to ask for it.
                if (!forbid_flags(SYS_openat, 2, O_DIRECT, error)) return 1;
                if (!forbid_flags(SYS_fcntl, 2, O_DIRECT, error)) return 2;
                const auto file = posix_fs().create(path, WriteMode::direct);
                if (!file) return 3;
                if (!append_in_parts(**file, bytes, 1)) return 4;
                const auto more = posix_fs().reopen(path, bytes.size(), WriteMode::direct);
                return more && (*more)->append(bytes) ? 0 : 5;
              }),
              0)
        << error;
    auto twice = bytes;
    twice.insert(twice.end(), bytes.begin(), bytes.end());
    EXPECT_EQ(contents(path), twice);
  }
}

TEST(DirectWrites, FirstErrorStaysAndCountsWhatIsThere) {
  const ScratchDir dir;
  for (const rlim_t room : {8192U, 10'000U}) {  // also in the middle of a unit
    SCOPED_TRACE(room);
    const std::string path = dir.file(std::to_string(room));
    EXPECT_EQ(in_child([&] {
                ::signal(SIGXFSZ, SIG_IGN);
                const rlimit limit{.rlim_cur = room, .rlim_max = room};
                ::setrlimit(RLIMIT_FSIZE, &limit);
                auto writer = must(posix_fs().create(path, WriteMode::direct));
                const auto bytes = random_bytes(20'000, 7);
                const Status first = writer->append(bytes);
                if (first || first.error().code != ErrorCode::over_limit) return 1;
                if (writer->bytes_written() != room) return 2;
                if (must(posix_fs().file_bytes(path)) != room) return 3;
                return writer->append(std::span(bytes).first(1)) || writer->sync() ? 4 : 0;
              }),
              0);
  }
}

TEST(Sync, AsksTheKernelAndNeverAgainOnceItFailed) {
  for (const WriteMode mode : kBoth) {
    const ScratchDir dir;
    EXPECT_EQ(in_child([&] {
                auto file = must(posix_fs().create(dir.file("a"), mode));
                if (!file->append(random_bytes(5000, 7)) || !file->sync()) return 1;
                Status refused;
                bool forbidden = false;
                // A filter is one thread's: outside of it the kernel would say that all is well.
                std::thread([&] {
                  forbidden = forbid(SYS_fdatasync, EIO);
                  refused = file->sync();
                }).join();
                if (!forbidden) return 2;
                if (refused || refused.error().code != ErrorCode::io) return 3;
                const Status again = file->sync();
                if (again || again.error().to_string() != refused.error().to_string()) return 4;
                if (file->append(random_bytes(10, 1))) return 5;
                return file->close() ? 6 : 0;
              }),
              0);
  }
}

TEST(Reopen, GoesOnFromWhateverLengthItIsCutTo) {
  const ScratchDir dir;
  const auto bytes = random_bytes(20'000, 1);
  const auto more = random_bytes(9'000, 2);
  for (const WriteMode mode : kBoth)
    for (const std::size_t length : {0u, 1u, 4095u, 4096u, 4097u, 8192u, 19999u, 20000u}) {
      SCOPED_TRACE(length);
      write_file(posix_fs(), dir.file("a"), bytes);
      auto file = must(posix_fs().reopen(dir.file("a"), length, mode));
      EXPECT_EQ(must(posix_fs().file_bytes(dir.file("a"))), length);
      EXPECT_EQ(file->bytes_written(), length);
      ASSERT_TRUE(ok(file->append(more)));
      EXPECT_EQ(file->bytes_written(), length + more.size());
      ASSERT_TRUE(ok(file->sync()));
      ASSERT_TRUE(ok(file->close()));
      auto expected = bytes;
      expected.resize(length);
      expected.insert(expected.end(), more.begin(), more.end());
      EXPECT_EQ(contents(dir.file("a")), expected);
      ASSERT_TRUE(ok(posix_fs().remove(dir.file("a"))));
    }
}

TEST(Reopen, RefusesAShorterFileAndLeavesIt) {
  const ScratchDir dir;
  const auto bytes = random_bytes(5000, 1);
  write_file(posix_fs(), dir.file("a"), bytes);
  const auto file = posix_fs().reopen(dir.file("a"), 5001, WriteMode::buffered);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::corrupt);
  EXPECT_EQ(file.error().file, dir.file("a"));
  EXPECT_EQ(file.error().found, "5000 bytes");
  EXPECT_EQ(file.error().expected, "at least 5001");
  EXPECT_EQ(contents(dir.file("a")), bytes);
}

TEST(Reopen, RefusesLinksAndWhatIsNoRegularFile) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(10, 1));
  ASSERT_EQ(::symlink(dir.file("a").c_str(), dir.file("link").c_str()), 0);
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  const auto code_of = [&](const std::string& name) {
    return posix_fs().reopen(dir.file(name), 0, WriteMode::direct).error().code;
  };
  EXPECT_EQ(code_of("link"), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of("fifo"), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(""), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of("none"), ErrorCode::not_found);
  EXPECT_EQ(must(posix_fs().file_bytes(dir.file("a"))), 10u);
}

TEST(Room, FileBytesAreTheFilesOwnAndNotALinksTarget) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(1234, 1));
  ASSERT_EQ(::symlink(dir.file("a").c_str(), dir.file("link").c_str()), 0);
  EXPECT_EQ(must(posix_fs().file_bytes(dir.file("a"))), 1234u);
  EXPECT_EQ(posix_fs().file_bytes(dir.file("link")).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(posix_fs().file_bytes(dir.path()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(posix_fs().file_bytes(dir.file("none")).error().code, ErrorCode::not_found);
}

TEST(Room, FreeBytesAreSomeOfTheFileSystemsAll) {
  const ScratchDir dir;
  const auto space = std::filesystem::space(dir.path());
  const std::uint64_t free = must(posix_fs().free_bytes(dir.path()));
  EXPECT_GT(free, 0u);
  EXPECT_LE(free, space.capacity);
  EXPECT_EQ(posix_fs().free_bytes(dir.file("none")).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace cairn::io
