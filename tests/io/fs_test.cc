#include "io/fs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "io/os_error.h"
#include "io/posix_file.h"
#include "io/posix_lock.h"
#include "tests/io/io_test_util.h"
#include "tests/io/seccomp.h"

namespace cairn::io {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return std::byte(c); });
  return bytes;
}

TEST(ParentDir, IsTheFolderAPathLiesIn) {
  EXPECT_EQ(parent_dir("a/b"), "a");
  EXPECT_EQ(parent_dir("/a"), "/");
  EXPECT_EQ(parent_dir("a"), ".");
  EXPECT_EQ(parent_dir("/a/b/c"), "/a/b");
  EXPECT_EQ(parent_dir("a/b/"), "a");
  EXPECT_EQ(parent_dir("/"), "/");
  EXPECT_EQ(parent_dir(""), ".");
}

TEST(OsError, NamesActionFileAndCause) {
  const Error error = os_error(ENOSPC, "append to", "x/y");
  EXPECT_EQ(error.code, ErrorCode::no_space);
  EXPECT_EQ(error.to_string(),
            "no_space: append to 'x/y': found No space left on device (errno 28)");
  EXPECT_NE(os_error(EMFILE, "open", "x").to_string().find("raise RLIMIT_NOFILE"),
            std::string::npos);
  EXPECT_EQ(code_of_errno(EIO), ErrorCode::io);
  EXPECT_EQ(code_of_errno(EDQUOT), ErrorCode::no_space);
  EXPECT_EQ(code_of_errno(ENOENT), ErrorCode::not_found);
}

TEST(PosixFs, WritesWhatItReads) {
  const ScratchDir dir;
  const auto bytes = random_bytes(3 * 4096 + 17, 1);
  auto writer = must(posix_fs().create(dir.file("a")));
  ASSERT_TRUE(ok(writer->append(std::span(bytes).first(100))));
  ASSERT_TRUE(ok(writer->append({})));
  ASSERT_TRUE(ok(writer->append(std::span(bytes).subspan(100))));
  EXPECT_EQ(writer->bytes_written(), bytes.size());
  ASSERT_TRUE(ok(writer->sync()));
  ASSERT_TRUE(ok(writer->close()));

  const auto reader = must(posix_fs().open(dir.file("a"), false));
  EXPECT_EQ(reader->bytes(), bytes.size());
  EXPECT_EQ(reader->alignment_bytes(), 1u);
  std::vector<std::byte> back(bytes.size() - 5);
  ASSERT_TRUE(ok(reader->read(5, back)));
  EXPECT_TRUE(std::equal(back.begin(), back.end(), bytes.begin() + 5));
}

TEST(PosixFs, CreateRefusesAnExistingFileAndALink) {
  const ScratchDir dir;
  must(posix_fs().create(dir.file("a")));
  EXPECT_EQ(posix_fs().create(dir.file("a")).error().code, ErrorCode::already_exists);
  ASSERT_EQ(::symlink(dir.file("a").c_str(), dir.file("link").c_str()), 0);
  EXPECT_EQ(posix_fs().create(dir.file("link")).error().code, ErrorCode::already_exists);
  const auto opened = posix_fs().open(dir.file("link"), false);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
  struct stat info {};
  ASSERT_EQ(::stat(dir.file("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(PosixFs, ReadPastTheEndIsCorruptAndSaysHowMuchThereWas) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(4096 + 100, 2));
  for (const bool direct : {false, true}) {
    const auto reader = must(posix_fs().open(dir.file("a"), direct));
    AlignedBytes into(8192);
    const Status status = reader->read(0, into.span());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::corrupt);
    EXPECT_EQ(status.error().found, "4196 bytes");
    EXPECT_EQ(status.error().expected, "8192 bytes");
    EXPECT_EQ(status.error().file, dir.file("a"));
    EXPECT_EQ(reader->read(1 << 20, into.span()).error().found, "0 bytes");
  }
}

TEST(PosixFs, ReadOfATruncatedFileEnds) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(3 * 4096, 3));
  const auto reader = must(posix_fs().open(dir.file("a"), true));
  ASSERT_EQ(::truncate(dir.file("a").c_str(), 5000), 0);
  AlignedBytes into(3 * 4096);
  EXPECT_EQ(reader->read(0, into.span()).error().code, ErrorCode::corrupt);
}

TEST(PosixFs, DirectReadRefusesWhatAFourKilobyteDiskWould) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(4 * 4096, 4));
  const auto reader = must(posix_fs().open(dir.file("a"), true));
  if (reader->alignment_bytes() == 1) GTEST_SKIP() << "this file system takes no O_DIRECT";
  AlignedBytes into(8192);
  EXPECT_TRUE(ok(reader->read(4096, into.span())));
  const std::span<std::byte> memory = into.span();
  EXPECT_EQ(reader->read(512, memory.first(4096)).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(reader->read(0, memory.first(512)).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(reader->read(0, memory.subspan(512, 4096)).error().code, ErrorCode::invalid_argument);
}

TEST(PosixFs, TmpfsIsHeldToTheSameAlignment) {
  if (!std::filesystem::is_directory("/dev/shm")) GTEST_SKIP() << "no /dev/shm";
  const std::string path = "/dev/shm/cairn-align-" + std::to_string(::getpid());
  write_file(posix_fs(), path, random_bytes(8192, 5));
  {
    const auto reader = must(posix_fs().open(path, true));
    AlignedBytes into(8192);
    EXPECT_TRUE(ok(reader->read(0, into.span())));
    const Status misaligned = reader->read(1, into.span().first(4096));
    EXPECT_EQ(static_cast<bool>(misaligned), reader->alignment_bytes() == 1);
  }
  EXPECT_TRUE(ok(posix_fs().remove(path)));
}

TEST(PosixFs, OpenRefusesWhatIsNoRegularFile) {
  const ScratchDir dir;
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(posix_fs().open(dir.file("fifo"), false).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(posix_fs().open(dir.path(), false).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(posix_fs().open(dir.file("none"), true).error().code, ErrorCode::not_found);
}

TEST(PosixFs, OpenedFilesAreNotLeftNonBlocking) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(4096, 6));
  const auto reader = must(posix_fs().open(dir.file("a"), false));
  EXPECT_EQ(::fcntl(reader->fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(reader->fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(PosixFs, FolderOperations) {
  const ScratchDir dir;
  Fs& fs = posix_fs();
  ASSERT_TRUE(ok(fs.make_dir(dir.file("d"))));
  EXPECT_EQ(fs.make_dir(dir.file("d")).error().code, ErrorCode::already_exists);
  write_file(fs, dir.file("d/b"), bytes_of("bb"));
  write_file(fs, dir.file("d/a"), bytes_of("a"));
  EXPECT_EQ(must(fs.list(dir.file("d"))), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fs.list(dir.file("none")).error().code, ErrorCode::not_found);
  EXPECT_EQ(fs.remove(dir.file("d")).error().code, ErrorCode::already_exists);

  EXPECT_EQ(fs.rename_new(dir.file("d/a"), dir.file("d/b")).error().code,
            ErrorCode::already_exists);
  ASSERT_TRUE(ok(fs.rename(dir.file("d/a"), dir.file("d/b"))));
  EXPECT_EQ(must(fs.open(dir.file("d/b"), false))->bytes(), 1u);
  ASSERT_TRUE(ok(fs.rename_new(dir.file("d/b"), dir.file("d/c"))));
  EXPECT_TRUE(must(fs.exists(dir.file("d/c"))));
  EXPECT_FALSE(must(fs.exists(dir.file("d/b"))));
  EXPECT_FALSE(must(fs.exists(dir.file("d/c/under"))));
  ASSERT_TRUE(ok(fs.sync_dir(dir.file("d"))));
  EXPECT_EQ(fs.sync_dir(dir.file("none")).error().code, ErrorCode::not_found);
  ASSERT_TRUE(ok(fs.remove(dir.file("d/c"))));
  ASSERT_TRUE(ok(fs.remove(dir.file("d"))));
  EXPECT_EQ(fs.remove(dir.file("d")).error().code, ErrorCode::not_found);
}

// As on NFS: the finished index of a build must not be lost to a missing rename flag.
TEST(PosixFs, RenamesFoldersWhereRenameFlagsAreRefused) {
  const ScratchDir dir;
  Fs& fs = posix_fs();
  for (const char* name : {"from", "full", "empty"}) ASSERT_TRUE(ok(fs.make_dir(dir.file(name))));
  for (const char* name : {"file", "from/inner", "full/inner"})
    write_file(fs, dir.file(name), bytes_of("a"));
  const auto rename = [&](const char* from, const char* to) {
    const Status renamed = fs.rename_new(dir.file(from), dir.file(to));
    return renamed ? std::nullopt : std::optional(renamed.error().code);
  };
  EXPECT_EQ(in_child([&] {
              if (!forbid(SYS_renameat2, EINVAL)) return 1;
              if (rename("from", "full") != ErrorCode::already_exists) return 2;
              if (rename("from", "empty") != ErrorCode::already_exists) return 3;
              if (rename("from", "file") != ErrorCode::already_exists) return 4;
              if (rename("from", "none/new") != ErrorCode::not_found) return 5;
              if (rename("none", "new") != ErrorCode::not_found) return 6;
              if (rename("file", "new") != ErrorCode::unsupported) return 7;
              if (rename("from", "from/under") != ErrorCode::io) return 8;
              return rename("from", "new") ? 9 : 0;
            }),
            0);
  EXPECT_TRUE(must(fs.exists(dir.file("new/inner"))));
  EXPECT_FALSE(must(fs.exists(dir.file("from"))));
}

TEST(PosixFs, ReadsBufferedWhereDirectReadsAreRefused) {
  const ScratchDir dir;
  const auto bytes = random_bytes(2 * 4096, 1);
  write_file(posix_fs(), dir.file("a"), bytes);
  for (const int error : {EINVAL, EOPNOTSUPP})
    EXPECT_EQ(in_child([&] {
                if (!forbid_flags(SYS_openat, 2, O_DIRECT, error)) return 1;
                const auto file = posix_fs().open(dir.file("a"), true);
                if (!file) return 2;
                if ((*file)->alignment_bytes() != 1) return 3;
                std::vector<std::byte> back(bytes.size() - 1);
                if (!(*file)->read(1, back)) return 4;
                return std::equal(back.begin(), back.end(), bytes.begin() + 1) ? 0 : 5;
              }),
              0)
        << error;
}

TEST(PosixFs, DirectReadsNeedAlignmentsThatBlocksHave) {
  EXPECT_EQ(direct_alignment_for(512, 4), 4096u);
  EXPECT_EQ(direct_alignment_for(4096, 4096), 4096u);
  EXPECT_EQ(direct_alignment_for(8192, 512), 0u);
  EXPECT_EQ(direct_alignment_for(512, 65536), 0u);
  EXPECT_EQ(direct_alignment_for(0, 512), 0u);
  EXPECT_EQ(direct_alignment_for(512, 0), 0u);
}

TEST(PosixFs, SyncOfAFolderIsThatOfTheKernel) {
  const ScratchDir dir;
  EXPECT_TRUE(ok(posix_fs().sync_dir(dir.path())));
  EXPECT_EQ(in_child([&] {
              if (!forbid(SYS_fsync, EIO)) return 1;
              const Status synced = posix_fs().sync_dir(dir.path());
              if (synced || synced.error().code != ErrorCode::io) return 2;
              return synced.error().file == dir.path() ? 0 : 3;
            }),
            0);
}

TEST(PosixWriteFile, FirstErrorStays) {
  const ScratchDir dir;
  // RLIMIT_FSIZE stands in for a full disk: EFBIG after the limit, then the writer is poisoned.
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              auto writer = must(posix_fs().create(dir.file("a")));
              const auto bytes = random_bytes(5000, 7);
              const Status first = writer->append(bytes);
              if (first || first.error().code != ErrorCode::over_limit) return 1;
              if (writer->bytes_written() != 4096) return 2;
              if (writer->append(std::span(bytes).first(1))) return 3;
              const Status sync = writer->sync();
              if (sync || sync.error().to_string() != first.error().to_string()) return 4;
              return writer->close() ? 5 : 0;
            }),
            0);
}

TEST(PosixWriteFile, ClosedFileTakesNothing) {
  const ScratchDir dir;
  auto writer = must(posix_fs().create(dir.file("a")));
  ASSERT_TRUE(ok(writer->close()));
  EXPECT_EQ(writer->append(bytes_of("x")).error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(writer->close());
}

TEST(PosixLock, SecondHolderIsToldWhoHasIt) {
  const ScratchDir dir;
  const std::string path = dir.file("LOCK");
  auto held = must(posix_fs().lock(path));
  // Also within one process: two handles of one index.
  EXPECT_EQ(posix_fs().lock(path).error().code, ErrorCode::busy);
  EXPECT_EQ(in_child([&] {
              // The child shares the parent's descriptor; a new open is another holder.
              const auto second = posix_fs().lock(path);
              if (second || second.error().code != ErrorCode::busy) return 1;
              return second.error().found == "held by pid " + std::to_string(::getppid()) ? 0 : 2;
            }),
            0);
  held.reset();
  EXPECT_TRUE(posix_fs().lock(path));
}

TEST(PosixLock, DiesWithItsProcess) {
  const ScratchDir dir;
  const std::string path = dir.file("LOCK");
  EXPECT_EQ(in_child([&] {
              const auto held = must(posix_fs().lock(path));
              return ::raise(SIGKILL);
            }),
            256 + SIGKILL);
  EXPECT_TRUE(posix_fs().lock(path));
}

TEST(PosixLock, ARemovedFileIsNotHeld) {
  const ScratchDir dir;
  const auto open_lock = [&] {
    return OwnedFd(::open(dir.file("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  };
  OwnedFd removed = open_lock(), replaced = open_lock();
  ASSERT_TRUE(ok(posix_fs().remove(dir.file("lock"))));
  EXPECT_EQ(lock_opened_file(std::move(removed), dir.file("lock")).error().code, ErrorCode::busy);
  const auto held = must(lock_opened_file(open_lock(), dir.file("lock")));
  EXPECT_EQ(lock_opened_file(std::move(replaced), dir.file("lock")).error().code, ErrorCode::busy);
}

TEST(PosixLock, HintIsNotTrusted) {
  const ScratchDir dir;
  const std::string path = dir.file("LOCK");
  const auto held = must(posix_fs().lock(path));
  {
    const int fd = ::open(path.c_str(), O_WRONLY | O_TRUNC);
    ASSERT_EQ(::write(fd, "\x1b[2Jevil", 8), 8);
    ::close(fd);
  }
  EXPECT_EQ(posix_fs().lock(path).error().found.find("evil"), std::string::npos);
}

TEST(PosixPin, IsSeenByEveryoneUntilReleased) {
  const ScratchDir dir;
  const std::string path = dir.file("PINS");
  EXPECT_EQ(posix_fs().pin(path, 1).error().code, ErrorCode::not_found);
  write_file(posix_fs(), path, {});
  auto first = must(posix_fs().pin(path, 7));
  auto second = must(posix_fs().pin(path, 7));
  EXPECT_TRUE(must(posix_fs().is_pinned(path, 7)));
  EXPECT_FALSE(must(posix_fs().is_pinned(path, 6)));
  EXPECT_FALSE(must(posix_fs().is_pinned(path, 8)));
  EXPECT_EQ(in_child([&] { return must(posix_fs().is_pinned(path, 7)) ? 0 : 1; }), 0);
  // The whole-file lock and pins may share one file.
  EXPECT_TRUE(posix_fs().lock(path));
  first.reset();
  EXPECT_TRUE(must(posix_fs().is_pinned(path, 7)));
  second.reset();
  EXPECT_FALSE(must(posix_fs().is_pinned(path, 7)));
}

TEST(PosixPin, AnyBelowIsOneQuestion) {
  const ScratchDir dir;
  const std::string path = dir.file("PINS");
  EXPECT_EQ(posix_fs().is_any_pinned(path, 1).error().code, ErrorCode::not_found);
  write_file(posix_fs(), path, {});
  EXPECT_FALSE(must(posix_fs().is_any_pinned(path, 1'000'000)));
  const auto pin = must(posix_fs().pin(path, 7));
  EXPECT_FALSE(must(posix_fs().is_any_pinned(path, 0)));
  EXPECT_FALSE(must(posix_fs().is_any_pinned(path, 7)));
  EXPECT_TRUE(must(posix_fs().is_any_pinned(path, 8)));
  EXPECT_TRUE(must(posix_fs().is_any_pinned(path, 1'000'000)));
  const auto held = must(posix_fs().lock(path));  // at the byte behind the last pin
  EXPECT_TRUE(must(posix_fs().is_any_pinned(path, kPinsEnd)));
  EXPECT_EQ(posix_fs().is_any_pinned(path, kPinsEnd + 1).error().code, ErrorCode::invalid_argument);
}

TEST(PosixPin, WorksWithReadAccessOnly) {
  const ScratchDir dir;
  const std::string path = dir.file("PINS");
  write_file(posix_fs(), path, {});
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  EXPECT_EQ(in_child([&] {
              if (::getuid() == 0 && ::setuid(65534) != 0) return 1;
              const auto pin = posix_fs().pin(path, 3);
              if (!pin) return 2;
              return must(posix_fs().is_pinned(path, 3)) ? 0 : 3;
            }),
            0);
}

TEST(PosixPin, SequenceHasALimit) {
  const ScratchDir dir;
  const std::string path = dir.file("PINS");
  write_file(posix_fs(), path, {});
  EXPECT_TRUE(posix_fs().pin(path, kPinsEnd - 1));
  EXPECT_EQ(posix_fs().pin(path, kPinsEnd).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(posix_fs().is_pinned(path, kPinsEnd).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace cairn::io
