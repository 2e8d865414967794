// What a ring may do that a kernel at rest does not: it takes fewer reads than were prepared, and
// gives out a completion of a read that is over.
#include <gtest/gtest.h>
#include <liburing.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "io/uring_ring.h"
#include "tests/io/pipe_file.h"
#include "tests/io/ring_test.h"

namespace {

bool take_half_of_next = false;
int busy_calls = 0;  // that follow
std::optional<cairn::io::RingDone> last;
bool repeat_last = false;

}  // namespace

extern "C" {

int __real_io_uring_submit(io_uring* ring);
int __wrap_io_uring_submit(io_uring* ring) {
  if (std::exchange(take_half_of_next, false)) {
    // The kernel sees the first half; the rest stays prepared.
    const unsigned kept = (ring->sq.sqe_tail - ring->sq.sqe_head) / 2;
    ring->sq.sqe_tail -= kept;
    const int taken = __real_io_uring_submit(ring);
    ring->sq.sqe_tail += kept;
    return taken;
  }
  if (busy_calls == 0) return __real_io_uring_submit(ring);
  --busy_calls;
  return -EBUSY;
}

// UringRing::take, by the name that the compiler gives it.
std::uint32_t __real__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(
    cairn::io::UringRing* ring, std::span<cairn::io::RingDone> into);

std::uint32_t __wrap__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(
    cairn::io::UringRing* ring, std::span<cairn::io::RingDone> into) {
  if (std::exchange(repeat_last, false)) {
    into[0] = *last;
    return 1;
  }
  const std::uint32_t count =
      __real__ZN5cairn2io9UringRing4takeESt4spanINS0_8RingDoneELm18446744073709551615EE(ring, into);
  if (count > 0) last = into[count - 1];
  return count;
}

}  // extern "C"

namespace cairn::io {
namespace {

constexpr std::uint32_t kReads = 8;

class RingResults : public RingTest {
 protected:
  RingResults() : RingTest(kReads) {}

  AlignedBytes memory_{kReads * kPage};
};

TEST_F(RingResults, WhatTheKernelDidNotTakeIsHandedOverLater) {
  // A read that is lost is an error and no endless wait.
  const DeviceOptions options{
      .backend = Backend::uring, .depth = kReads, .read_timeout_us = 5'000'000};
  // None, fewer and more calls in vain than one submission tries.
  for (const int busy : {0, 5, 20}) {
    SCOPED_TRACE(busy);
    std::ranges::fill(memory_.span(), std::byte{0});
    const auto device = must(make_device(files_, options, nullptr));
    std::vector<ReadOp> ops;
    for (std::uint32_t i = 0; i < kReads; ++i)
      ops.push_back(
          {.bytes = kPage, .offset = i * kPage, .buffer = memory_.data() + i * kPage, .tag = i});
    take_half_of_next = true;
    busy_calls = busy;
    ASSERT_EQ(must(device->submit(ops)), kReads);
    ReadDone done[kReads];
    std::uint32_t seen = 0;
    while (seen < kReads) {
      const auto count = device->reap(done, kReads - seen, -1);
      ASSERT_TRUE(count) << count.error().to_string() << " after " << seen << " reads";
      for (const ReadDone& one : std::span(done).first(*count)) EXPECT_EQ(one.error, 0) << one.tag;
      seen += *count;
    }
    EXPECT_EQ(busy_calls, 0);
    EXPECT_TRUE(std::ranges::equal(memory_.span(), bytes_));
  }
}

/// Of this process, for devices that may write to it.
std::uint64_t pinned_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmPin:")) return std::stoull(line.substr(6));
  return 0;
}

// Left to itself the kernel does it when it comes to it: on a busy machine gigabytes were pinned.
TEST_F(RingResults, ClosingGivesPinnedMemoryBackAtOnce) {
  const std::uint64_t before = pinned_kib();
  const DeviceOptions options{.backend = Backend::uring, .depth = kReads, .arena = memory_.span()};
  auto device = must(make_device(files_, options, nullptr));
  const ReadOp op{.bytes = kPage, .buffer = memory_.data(), .tag = 1};
  ASSERT_EQ(must(device->submit({&op, 1})), 1u);
  if (pinned_kib() == before) GTEST_SKIP() << "this kernel registers no memory";
  device.reset();
  EXPECT_EQ(pinned_kib(), before);
}

TEST_F(RingResults, ACompletionOfAnEarlierReadIsNotTheOneThatIsWaitedFor) {
  PipeFile pipe;
  const ReadFile* const files[] = {file_.get(), &pipe};
  const auto device = must(make_device(files, {.backend = Backend::uring, .depth = 1}, nullptr));
  ReadDone done[1];
  const ReadOp first{.file = 0, .bytes = kPage, .buffer = memory_.data(), .tag = 7};
  ASSERT_EQ(must(device->submit({&first, 1})), 1u);
  ASSERT_EQ(must(device->reap(done, 1, -1)), 1u);

  const ReadOp second{.file = 1, .bytes = kPage, .buffer = memory_.data() + kPage, .tag = 8};
  ASSERT_EQ(must(device->submit({&second, 1})), 1u);
  repeat_last = true;
  EXPECT_EQ(must(device->reap(done, 1, 20'000)), 0u) << "nothing has been written to the pipe";
  EXPECT_FALSE(repeat_last);
  ASSERT_EQ(::write(pipe.writer(), bytes_.data(), kPage), kPage);
  ASSERT_EQ(must(device->reap(done, 1, -1)), 1u);
  EXPECT_EQ(done[0].tag, 8u);
  EXPECT_EQ(done[0].error, 0);
  EXPECT_EQ(std::memcmp(memory_.data() + kPage, bytes_.data(), kPage), 0);
}

}  // namespace
}  // namespace cairn::io
