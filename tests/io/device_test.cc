#include "io/device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "tests/io/ring_test.h"

namespace cairn::io {
namespace {

constexpr std::uint32_t kPage = 4096;

struct Case {
  Backend backend;
  bool direct;
  bool any_thread;
};

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return std::string(backend_name(info.param.backend)) +
         (info.param.direct ? "_direct" : "_buffered") +
         (info.param.any_thread ? "_any_thread" : "");
}

// A device of the case, or a skip where this machine forbids io_uring.
class DeviceTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().backend != Backend::uring) return;
    if (const std::string why = ring_refused(); !why.empty()) GTEST_SKIP() << why;
  }

  const ReadFile* add_file(const std::string& name, std::size_t bytes, std::uint64_t seed) {
    contents_.push_back(random_bytes(bytes, seed));
    write_file(posix_fs(), dir_.file(name), contents_.back());
    files_.push_back(must(posix_fs().open(dir_.file(name), GetParam().direct)));
    pointers_.push_back(files_.back().get());
    return files_.back().get();
  }

  std::unique_ptr<Device> device(std::uint32_t depth, std::span<std::byte> arena = {}) {
    const DeviceOptions options{.backend = GetParam().backend,
                                .depth = depth,
                                .any_thread = GetParam().any_thread,
                                .arena = arena};
    std::string reason;
    auto made = must(make_device(pointers_, options, &reason));
    EXPECT_EQ(reason, "");
    EXPECT_EQ(made->backend(), GetParam().backend);
    return made;
  }

  bool matches(const ReadOp& op) const {
    return std::memcmp(op.buffer, contents_[op.file].data() + op.offset, op.bytes) == 0;
  }

  ScratchDir dir_;
  std::vector<std::vector<std::byte>> contents_;
  std::vector<std::unique_ptr<ReadFile>> files_;
  std::vector<const ReadFile*> pointers_;
};

INSTANTIATE_TEST_SUITE_P(
    All, DeviceTest,
    ::testing::Values(Case{Backend::uring, true, false}, Case{Backend::uring, true, true},
                      Case{Backend::uring, false, false}, Case{Backend::pread, true, false},
                      Case{Backend::pread, false, false}, Case{Backend::sync, true, false},
                      Case{Backend::sync, false, false}),
    case_name);

// The devices that need not stay with one thread.
class AnyThreadTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(All, AnyThreadTest,
                         ::testing::Values(Case{Backend::uring, true, true},
                                           Case{Backend::pread, true, true},
                                           Case{Backend::sync, true, true}),
                         case_name);

// Drives `total` random reads of 1 to 4 pages through the device and checks every byte.
void random_reads(Device& device, std::span<std::byte> memory, std::uint64_t seed,
                  const std::vector<std::vector<std::byte>>& contents, std::uint32_t total) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::size_t slots = memory.size() / (4 * kPage);
  std::vector<std::uint64_t> free(slots);
  for (std::size_t i = 0; i < slots; ++i) free[i] = i;
  std::map<std::uint64_t, ReadOp> flying;
  std::vector<ReadDone> done(slots);
  std::uint32_t started = 0;
  std::uint32_t finished = 0;
  while (finished < total) {
    std::vector<ReadOp> ops;
    const std::size_t wanted = random() % 9;
    while (ops.size() < wanted && started + ops.size() < total && ops.size() < free.size()) {
      const auto file = static_cast<std::uint32_t>(random() % contents.size());
      const std::uint32_t pages = 1 + static_cast<std::uint32_t>(random() % 4);
      const std::uint64_t first = random() % (contents[file].size() / kPage - pages + 1);
      const std::uint64_t slot = free[free.size() - 1 - ops.size()];
      ops.push_back({.file = file,
                     .bytes = pages * kPage,
                     .offset = first * kPage,
                     .buffer = memory.data() + slot * 4 * kPage,
                     .tag = slot});
    }
    const std::uint32_t room = device.depth() - device.in_flight();
    const std::uint32_t taken = must(device.submit(ops), "submit");
    ASSERT_EQ(taken, std::min<std::size_t>(room, ops.size()));
    for (const ReadOp& op : std::span(ops).first(taken)) {
      flying[op.tag] = op;
      free.pop_back();
    }
    started += taken;
    const auto least = static_cast<std::uint32_t>(random() % 4);
    const std::uint32_t in_flight = device.in_flight();
    const std::uint32_t got = must(device.reap(done, least, -1), "reap");
    ASSERT_GE(got, std::min(least, in_flight));
    ASSERT_EQ(device.in_flight(), in_flight - got);
    for (const ReadDone& one : std::span(done).first(got)) {
      ASSERT_EQ(one.error, 0);
      ASSERT_EQ(flying.count(one.tag), 1u);
      const ReadOp& op = flying[one.tag];
      ASSERT_EQ(std::memcmp(op.buffer, contents[op.file].data() + op.offset, op.bytes), 0);
      flying.erase(one.tag);
      free.push_back(one.tag);
    }
    finished += got;
  }
  EXPECT_TRUE(flying.empty());
}

TEST_P(DeviceTest, ReturnsTheBytesOfTheFile) {
  add_file("a", 300 * kPage, 1);
  add_file("b", 5 * kPage, 2);
  for (const std::uint32_t depth : {1u, 3u, 64u}) {
    AlignedBytes memory(64 * 4 * kPage);
    auto one = device(depth);
    random_reads(*one, memory.span(), 11 + depth, contents_, 500);
  }
}

TEST_P(DeviceTest, ReturnsTheSameThroughRegisteredMemory) {
  add_file("a", 100 * kPage, 3);
  AlignedBytes memory(32 * 4 * kPage);
  // Half of the buffers lie inside the arena, half do not.
  auto one = device(16, memory.span().first(16 * 4 * kPage));
  random_reads(*one, memory.span(), 12, contents_, 500);
}

TEST_P(DeviceTest, NeverTakesMoreThanItsDepth) {
  add_file("a", 16 * kPage, 4);
  AlignedBytes memory(16 * kPage);
  auto one = device(5);
  ASSERT_EQ(one->depth(), 5u);
  std::vector<ReadOp> ops;
  for (std::uint64_t i = 0; i < 16; ++i)
    ops.push_back(
        {.bytes = kPage, .offset = i * kPage, .buffer = memory.data() + i * kPage, .tag = i});
  EXPECT_EQ(must(one->submit(ops)), 5u);
  EXPECT_EQ(must(one->submit(std::span(ops).subspan(5))), 0u);
  EXPECT_EQ(one->in_flight(), 5u);
  std::vector<ReadDone> done(16);
  EXPECT_EQ(must(one->reap(done, 99, -1)), 5u);
  EXPECT_EQ(one->in_flight(), 0u);
  // Nothing in flight: nothing to wait for, whatever is asked.
  EXPECT_EQ(must(one->reap(done, 1, -1)), 0u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(matches(ops[i])) << i;
}

TEST_P(DeviceTest, AReadPastTheEndFailsAndLeavesTheOthers) {
  add_file("a", 4 * kPage + 100, 5);
  AlignedBytes memory(16 * kPage);
  auto one = device(8);
  const std::vector<ReadOp> ops = {
      {.bytes = kPage, .offset = 0, .buffer = memory.data(), .tag = 0},
      {.bytes = 2 * kPage, .offset = 3 * kPage, .buffer = memory.data() + 4 * kPage, .tag = 1},
      {.bytes = kPage, .offset = 100 * kPage, .buffer = memory.data() + 8 * kPage, .tag = 2},
      {.bytes = kPage, .offset = 4 * kPage, .buffer = memory.data() + 9 * kPage, .tag = 3},
      {.bytes = kPage, .offset = kPage, .buffer = memory.data() + 12 * kPage, .tag = 4}};
  ASSERT_EQ(must(one->submit(ops)), 5u);
  std::vector<ReadDone> done(8);
  ASSERT_EQ(must(one->reap(done, 5, -1)), 5u);
  std::map<std::uint64_t, int> errors;
  for (const ReadDone& read : std::span(done).first(5)) errors[read.tag] = read.error;
  EXPECT_EQ(errors, (std::map<std::uint64_t, int>{{0, 0}, {1, EIO}, {2, EIO}, {3, EIO}, {4, 0}}));
  EXPECT_TRUE(matches(ops[0]));
  EXPECT_TRUE(matches(ops[4]));
}

TEST_P(DeviceTest, ATruncatedFileFailsItsReads) {
  add_file("a", 8 * kPage, 6);
  auto one = device(8);
  ASSERT_EQ(::truncate(files_[0]->path().c_str(), kPage + 700), 0);
  AlignedBytes memory(8 * kPage);
  const ReadOp op{.bytes = 8 * kPage, .buffer = memory.data(), .tag = 9};
  ASSERT_EQ(must(one->submit({&op, 1})), 1u);
  ReadDone done;
  ASSERT_EQ(must(one->reap({&done, 1}, 1, -1)), 1u);
  EXPECT_EQ(done.error, EIO);
  EXPECT_EQ(done.tag, 9u);
}

TEST_P(DeviceTest, RefusesWhatIsNoWholeRead) {
  add_file("a", 8 * kPage, 7);
  AlignedBytes memory(8 * kPage);
  auto one = device(8);
  const ReadOp good{.bytes = kPage, .buffer = memory.data()};
  ReadOp unknown = good;
  unknown.file = 1;
  ReadOp empty = good;
  empty.bytes = 0;
  ReadOp far = good;
  far.offset = kOffsetMax + kPage;
  ReadOp unaligned = good;
  unaligned.offset = 512;
  for (const ReadOp& bad : {unknown, empty, far, unaligned}) {
    if (bad.offset == 512 && files_[0]->alignment_bytes() == 1) continue;
    const ReadOp both[] = {good, bad};
    const auto result = one->submit(both);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(one->in_flight(), 0u) << "an error must start nothing";
  }
}

TEST_P(DeviceTest, TimeLimitsHold) {
  add_file("a", 8 * kPage, 8);
  AlignedBytes memory(8 * kPage);
  auto one = device(8);
  const ReadOp op{.bytes = kPage, .offset = kPage, .buffer = memory.data(), .tag = 1};
  ASSERT_EQ(must(one->submit({&op, 1})), 1u);
  std::vector<ReadDone> done(8);
  // A poll returns at once; enough polls collect the read without ever blocking.
  std::uint32_t got = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (got == 0 && std::chrono::steady_clock::now() < until) got = must(one->reap(done, 1, 0));
  ASSERT_EQ(got, 1u);
  EXPECT_TRUE(matches(op));
  ASSERT_EQ(must(one->submit({&op, 1})), 1u);
  EXPECT_EQ(must(one->reap(done, 1, std::numeric_limits<std::int64_t>::max())), 1u);
  ASSERT_EQ(must(one->submit({&op, 1})), 1u);
  while (must(one->reap(done, 1, 50)) == 0) ASSERT_LT(std::chrono::steady_clock::now(), until);
}

TEST_P(DeviceTest, DestructionWaitsForWhatIsInFlight) {
  add_file("a", 2000 * kPage, 9);
  for (int round = 0; round < 20; ++round) {
    AlignedBytes memory(64 * kPage);
    auto one = device(64);
    std::vector<ReadOp> ops;
    for (std::uint64_t i = 0; i < 64; ++i)
      ops.push_back({.bytes = kPage,
                     .offset = (i * 31 % 2000) * kPage,
                     .buffer = memory.data() + i * kPage,
                     .tag = i});
    ASSERT_EQ(must(one->submit(ops)), 64u);
    one.reset();
    // Whatever was to be written is written: a later write would undo this mark.
    std::ranges::fill(memory.span(), std::byte{0xA5});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_TRUE(
        std::ranges::all_of(memory.span(), [](std::byte b) { return b == std::byte{0xA5}; }));
  }
}

TEST_P(DeviceTest, AnotherThreadThanTheMakersMayOwnIt) {
  add_file("a", 50 * kPage, 10);
  auto one = device(16);
  std::thread([&] {
    AlignedBytes memory(16 * 4 * kPage);
    random_reads(*one, memory.span(), 13, contents_, 200);
    one.reset();
  }).join();
}

TEST_P(DeviceTest, ManyThreadsEachWithItsDevice) {
  add_file("a", 200 * kPage, 14);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      AlignedBytes memory(16 * 4 * kPage);
      auto one = device(8);
      random_reads(*one, memory.span(), 100 + t, contents_, 200);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_P(AnyThreadTest, MayChangeHandsBetweenReads) {
  add_file("a", 50 * kPage, 15);
  auto one = device(16);
  for (std::uint64_t t = 0; t < 4; ++t)
    std::thread([&, t] {
      AlignedBytes memory(16 * 4 * kPage);
      random_reads(*one, memory.span(), 200 + t, contents_, 50);
    }).join();
}

TEST_P(DeviceTest, ReadsAFileWhoseNameIsGone) {
  add_file("a", 50 * kPage, 16);
  auto one = device(16);
  ASSERT_TRUE(ok(posix_fs().remove(files_[0]->path())));
  AlignedBytes memory(16 * 4 * kPage);
  random_reads(*one, memory.span(), 17, contents_, 50);
}

TEST(Device, SecondThreadIsRefusedWithTheRemedy) {
  const ScratchDir dir;
  write_file(posix_fs(), dir.file("a"), random_bytes(kPage, 18));
  const auto file = must(posix_fs().open(dir.file("a"), true));
  const ReadFile* const files[] = {file.get()};
  auto device = make_device(files, {.backend = Backend::uring}, nullptr);
  if (!device) GTEST_SKIP() << device.error().to_string();
  AlignedBytes memory(kPage);
  const ReadOp op{.bytes = kPage, .buffer = memory.data()};
  ASSERT_EQ(must((*device)->submit({&op, 1})), 1u);
  ReadDone done;
  ASSERT_EQ(must((*device)->reap({&done, 1}, 1, -1)), 1u);
  std::thread([&] {
    const auto refused = (*device)->submit({&op, 1});
    if (refused) {
      // Older kernels have no rings of one thread, and nothing to refuse.
      (*device)->reap({&done, 1}, 1, -1).value();
      return;
    }
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(refused.error().to_string().find("any_thread"), std::string::npos);
  }).join();
  // And the owner is not disturbed.
  EXPECT_EQ(must((*device)->submit({&op, 1})), 1u);
  EXPECT_EQ(must((*device)->reap({&done, 1}, 1, -1)), 1u);
  EXPECT_EQ(done.error, 0);
}

TEST(Device, OptionsAreChecked) {
  EXPECT_EQ(make_device({}, {.depth = 0}, nullptr).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(make_device({}, {.depth = kDeviceDepthMax + 1}, nullptr).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(make_device({}, {.pread_threads = 0}, nullptr).error().code,
            ErrorCode::invalid_argument);
  EXPECT_TRUE(make_device({}, {.depth = kDeviceDepthMax}, nullptr));
}

TEST(Device, BackendsHaveNames) {
  EXPECT_EQ(backend_name(Backend::uring), "uring");
  EXPECT_EQ(backend_name(Backend::pread), "pread");
  EXPECT_EQ(backend_name(Backend::sync), "sync");
  EXPECT_EQ(backend_name(Backend::automatic), "automatic");
}

}  // namespace
}  // namespace cairn::io
