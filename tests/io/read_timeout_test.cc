// Reads that never come back: an empty pipe for io_uring, and memory of which nobody resolves the
// page faults for a thread that reads.
#include "io/read_timeout.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <thread>

#include "io/block_reader.h"
#include "io/device.h"
#include "io/forwarding_fs.h"
#include "io/os_error.h"
#include "tests/io/pipe_file.h"
#include "tests/io/ring_test.h"
#include "tests/sim/sim_fs.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::int64_t kTimeoutUs = 100'000;
using Clock = std::chrono::steady_clock;

/// A page that blocks whoever touches it until it is released.
class HungPage {
 public:
  HungPage() : fd_(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC))) {
    page_ = static_cast<std::byte*>(
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    uffdio_api api{.api = UFFD_API, .features = 0, .ioctls = 0};
    uffdio_register region{};
    region.range = {.start = reinterpret_cast<std::uintptr_t>(page_), .len = kPage};
    region.mode = UFFDIO_REGISTER_MODE_MISSING;
    works_ = fd_ >= 0 && ::ioctl(fd_, UFFDIO_API, &api) == 0 &&
             ::ioctl(fd_, UFFDIO_REGISTER, &region) == 0;
  }
  ~HungPage() { release(); }  // the page itself stays: it may still be written
  HungPage(const HungPage&) = delete;
  void release() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  bool works() const { return works_; }
  std::byte* data() const { return page_; }

 private:
  int fd_;
  std::byte* page_;
  bool works_ = false;
};

/// A device with a read that hangs, number 0, and one that does not.
class HungRead : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    write_file(posix_fs(), dir_.file("plain"), random_bytes(4 * kPage, 1));
    plain_ = must(posix_fs().open(dir_.file("plain"), false));
    if (GetParam() == Backend::pread && !hung_page_.works())
      GTEST_SKIP() << "userfaultfd is refused here";
    if (GetParam() == Backend::uring) {
      if (const std::string why = ring_refused(); !why.empty()) GTEST_SKIP() << why;
    }
  }

  void open(std::int64_t timeout_us) {
    const ReadFile* hung = GetParam() == Backend::uring ? &pipe_ : plain_.get();
    const std::vector<const ReadFile*> files = {plain_.get(), hung};
    device_ = must(make_device(
        files, {.backend = GetParam(), .depth = 4, .read_timeout_us = timeout_us}, nullptr));
  }
  void submit_hung() {
    std::byte* into = GetParam() == Backend::uring ? memory_.data() : hung_page_.data();
    const ReadOp op{.file = 1, .bytes = kPage, .offset = 0, .buffer = into, .tag = 0};
    ASSERT_EQ(must(device_->submit({&op, 1})), 1u);
  }
  Result<std::uint32_t> submit_plain() {
    const ReadOp op{
        .file = 0, .bytes = kPage, .offset = kPage, .buffer = memory_.data() + kPage, .tag = 1};
    return device_->submit({&op, 1});
  }
  Result<std::uint32_t> reap(std::int64_t timeout_us) {
    return device_->reap(done_, 1, timeout_us);
  }
  void release() {
    pipe_.close_writer();
    hung_page_.release();
  }
  std::thread release_soon() {
    return std::thread([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      release();
    });
  }

  ScratchDir dir_;
  HungPage hung_page_;
  PipeFile pipe_;
  AlignedBuffer memory_ = must(AlignedBuffer::create(2 * kPage));
  std::vector<ReadDone> done_{4};
  std::unique_ptr<ReadFile> plain_;
  std::unique_ptr<Device> device_;
};

INSTANTIATE_TEST_SUITE_P(All, HungRead, ::testing::Values(Backend::uring, Backend::pread),
                         [](const auto& tested) {
                           return std::string(backend_name(tested.param));
                         });

TEST_P(HungRead, IsAnErrorAfterItsTime) {
  open(kTimeoutUs);
  submit_hung();
  EXPECT_FALSE(device_->stuck());
  const auto start = Clock::now();
  const auto lost = reap(-1);
  EXPECT_GE(Clock::now() - start, std::chrono::microseconds(kTimeoutUs / 2));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io);
  EXPECT_NE(lost.error().file.find(GetParam() == Backend::uring ? "pipe" : "plain"),
            std::string::npos)
      << lost.error().to_string();
  EXPECT_TRUE(device_->stuck());
  EXPECT_FALSE(reap(0)) << "for ever";
  const ReadOp op{.file = 0, .bytes = kPage, .buffer = memory_.data() + kPage};
  EXPECT_FALSE(device_->submit({&op, 1}));
  const auto closing = Clock::now();
  device_.reset();
  EXPECT_LT(Clock::now() - closing, std::chrono::seconds(5)) << "it does not wait";
  release();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // what was left behind comes back
}

TEST_P(HungRead, IsSeenAmongReadsThatComeBack) {
  open(kTimeoutUs);
  submit_hung();
  const auto start = Clock::now();
  bool seen = false;
  while (!seen && Clock::now() - start < std::chrono::seconds(20)) {
    seen = !submit_plain();
    while (!seen && device_->in_flight() > 1) seen = !reap(-1);
  }
  EXPECT_TRUE(seen);
  EXPECT_TRUE(device_->stuck());
  release();
}

TEST_P(HungRead, IsSeenWhereMoreIsWaitedFor) {
  open(kTimeoutUs);
  submit_hung();
  ASSERT_EQ(must(submit_plain()), 1u);
  EXPECT_EQ(must(device_->reap(done_, 2, -1)), 1u) << "what came back";
  EXPECT_FALSE(reap(0));
  release();
}

TEST_P(HungRead, IsWaitedForByNoDestructionForLongerThanItsTime) {
  open(kTimeoutUs);
  submit_hung();
  EXPECT_EQ(must(reap(20'000)), 0u) << "by now a thread has begun it";
  const auto start = Clock::now();
  EXPECT_FALSE(device_->drain());
  EXPECT_GE(Clock::now() - start, std::chrono::microseconds(kTimeoutUs / 2));
  EXPECT_TRUE(device_->stuck());
  EXPECT_FALSE(submit_plain());
  device_.reset();
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
  release();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

TEST_P(HungRead, ThatComesBackInTimeIsDrained) {
  open(20'000'000);
  submit_hung();
  std::thread releases = release_soon();
  EXPECT_TRUE(device_->drain());
  releases.join();
}

/// The owner of a device has other things to do, or is not let to.
TEST_P(HungRead, IsNoneThatWasThereBeforeItWasAskedFor) {
  open(kTimeoutUs);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(must(submit_plain()), 1u);
  std::this_thread::sleep_for(std::chrono::microseconds(3 * kTimeoutUs));
  for (int i = 0; i < 3; ++i) {
    ReadDone done;
    ASSERT_EQ(must(device_->reap({&done, 1}, 1, -1)), 1u) << i;
    EXPECT_EQ(done.error, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
}

/// Reads without an end, in a process that is stopped and goes on.
TEST_P(HungRead, IsNoneOfAProcessThatWasStopped) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    open(3 * kTimeoutUs);
    const auto start = Clock::now();
    bool good = true;
    while (good && Clock::now() - start < std::chrono::milliseconds(2500))
      good = submit_plain() && reap(-1) == 1u;
    ::_exit(good ? 0 : 1);
  }
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::kill(child, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    ::kill(child, SIGCONT);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_P(HungRead, IsWaitedForWithoutALimit) {
  open(0);
  submit_hung();
  EXPECT_EQ(must(reap(2 * kTimeoutUs)), 0u);
  EXPECT_FALSE(device_->stuck());
  release();
  EXPECT_EQ(must(reap(-1)), 1u);
}

TEST_P(HungRead, ThatComesBackInTimeIsAsAnyOther) {
  open(20'000'000);
  submit_hung();
  std::thread releases = release_soon();
  EXPECT_EQ(must(reap(-1)), 1u);
  releases.join();
  EXPECT_EQ(device_->in_flight(), 0u);
  EXPECT_EQ(must(submit_plain()), 1u);
  EXPECT_EQ(must(reap(-1)), 1u);
}

TEST(ReadTimeoutOptions, AreChecked) {
  const auto made = [](std::int64_t timeout_us) {
    return make_device({}, {.backend = Backend::sync, .read_timeout_us = timeout_us}, nullptr);
  };
  EXPECT_EQ(made(-1).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(made(std::int64_t{UINT32_MAX} * 1000)) << "milliseconds of any 32 bits";
  EXPECT_EQ(made(std::int64_t{UINT32_MAX} * 1000 + 1).error().code, ErrorCode::invalid_argument);
}

/// A file of one block.
class OneBlock {
 public:
  explicit OneBlock(Fs& fs) {
    std::vector<std::byte> page(kPage);
    layout::seal_page(page, {7, 0, 1});
    write_file(fs, "blocks", page);
    file_ = must(fs.open("blocks", true));
    blocks_ = {.file = file_.get(), .identity = 7, .generation = 1};
  }
  /// A reader whose block was asked for.
  std::unique_ptr<BlockReader> reader(Fs& fs) {
    auto made = must(BlockReader::create(fs, {&blocks_, 1}, {.buffers = 2}, nullptr, nullptr));
    const BlockRequest request{.file = 0, .block = 0, .token = 1};
    EXPECT_EQ(made->request({&request, 1}), 1u);
    return made;
  }

 private:
  std::unique_ptr<ReadFile> file_;
  BlockFile blocks_;
};

/// The memory of a reader outlives it when the kernel may still write there.
TEST(StuckReader, LeavesItsBuffersBehind) {
  sim::SimFs fs(1);
  OneBlock block(fs);
  fs.faults().add(sim::ReadFault{.kind = sim::ReadFault::Kind::lost});
  auto reader = block.reader(fs);
  std::vector<BlockArrival> arrivals(2);
  const auto lost = reader->collect(arrivals, 1, -1);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io);
  EXPECT_EQ(lost.error().file, "blocks");
  reader.reset();
  EXPECT_EQ(fs.complete_left_behind(), 1u);  // memory that was given back would be a crash
}

/// The same when nobody has waited for the read before.
TEST(StuckReader, LeavesItsBuffersBehindUnasked) {
  sim::SimFs fs(1);
  OneBlock block(fs);
  fs.faults().add(sim::ReadFault{.kind = sim::ReadFault::Kind::lost});
  block.reader(fs).reset();
  EXPECT_EQ(fs.complete_left_behind(), 1u);
}

/// A file system whose devices have lost their ring: none takes a read.
class LostRings final : public ForwardingFs {
 public:
  using ForwardingFs::ForwardingFs;
  Result<std::unique_ptr<Device>> make_device(std::span<const ReadFile* const>,
                                              const DeviceOptions&, std::string*) override {
    return std::make_unique<Lost>();
  }

 private:
  class Lost final : public Device {
   public:
    std::uint32_t depth() const override { return 8; }
    std::uint32_t in_flight() const override { return 0; }
    Result<std::uint32_t> submit(std::span<const ReadOp>) override {
      return fail(os_error(EIO, "submit to io_uring", ""));
    }
    Result<std::uint32_t> reap(std::span<ReadDone>, std::uint32_t, std::int64_t) override {
      return 0;
    }
    Backend backend() const override { return Backend::uring; }
    bool stuck() const override { return false; }
    bool drain() override { return true; }
    bool usable() const override { return false; }
  };
};

TEST(LostRing, ARefusedReadSaysWhatWhereAndWhy) {
  sim::SimFs fs;
  OneBlock block(fs);
  LostRings lost(fs);
  const auto reader = block.reader(lost);
  std::vector<BlockArrival> arrivals(2);
  ASSERT_EQ(must(reader->collect(arrivals, 1, -1)), 1u);
  ASSERT_TRUE(arrivals[0].error);
  EXPECT_EQ(arrivals[0].error->what, "submit to io_uring");
  EXPECT_EQ(arrivals[0].error->file, "blocks");
  EXPECT_EQ(arrivals[0].error->block, 0u);
  EXPECT_NE(arrivals[0].error->found, "");
}

}  // namespace
}  // namespace cairn::io
