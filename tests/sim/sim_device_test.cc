#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>

#include "tests/io/io_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::sim {
namespace {

using io::must;
using io::ok;

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kPages = 16;

class SimDeviceTest : public ::testing::Test {
 protected:
  void make(std::uint64_t seed, std::vector<ReadFault> faults) {
    device_.reset();
    fs_ = std::make_unique<SimFs>(seed);
    auto file = must(fs_->create("f"));
    ASSERT_TRUE(ok(file->append(bytes_)));
    for (ReadFault& fault : faults) fs_->faults().add(fault);
    file_ = must(fs_->open("f", true));
    const io::ReadFile* const files[] = {file_.get()};
    device_ = must(fs_->make_device(files, {.depth = kPages}, nullptr));
  }

  // Reads all pages at once; tags in the order of completion.
  std::vector<io::ReadDone> read_all(std::int64_t timeout_us = -1) {
    std::vector<io::ReadOp> ops;
    for (std::uint64_t i = 0; i < kPages; ++i)
      ops.push_back({.bytes = kPage, .offset = i * kPage, .buffer = page(i), .tag = i});
    EXPECT_EQ(must(device_->submit(ops)), kPages);
    std::vector<io::ReadDone> done(kPages);
    done.resize(must(device_->reap(done, kPages, timeout_us)));
    return done;
  }

  std::byte* page(std::uint64_t i) { return memory_.data() + i * kPage; }
  bool right(std::uint64_t i) {
    return std::memcmp(page(i), bytes_.data() + i * kPage, kPage) == 0;
  }
  // How many bytes of page i differ.
  std::ptrdiff_t wrong_bytes(std::uint64_t i) {
    std::ptrdiff_t wrong = 0;
    for (std::size_t b = 0; b < kPage; ++b) wrong += page(i)[b] != bytes_[i * kPage + b];
    return wrong;
  }

  io::AlignedBuffer memory_ = must(io::AlignedBuffer::create(kPages * kPage));
  std::vector<std::byte> bytes_ = io::random_bytes(kPages * kPage, 31);
  std::unique_ptr<SimFs> fs_;
  std::unique_ptr<io::ReadFile> file_;
  std::unique_ptr<io::Device> device_;
};

TEST_F(SimDeviceTest, CompletesInAnOrderGivenByTheSeed) {
  std::set<std::vector<std::uint64_t>> orders;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::vector<std::uint64_t> order[2];
    for (auto& one : order) {
      make(seed, {});
      for (const io::ReadDone& done : read_all()) {
        EXPECT_EQ(done.error, 0);
        EXPECT_TRUE(right(done.tag));
        one.push_back(done.tag);
      }
      EXPECT_EQ(one.size(), kPages);
    }
    EXPECT_EQ(order[0], order[1]) << "seed " << seed;
    orders.insert(order[0]);
  }
  EXPECT_EQ(orders.size(), 5u) << "different seeds should differ";
}

TEST_F(SimDeviceTest, EachFaultDoesWhatItsNameSays) {
  using Kind = ReadFault::Kind;
  for (const Kind kind :
       {Kind::error, Kind::early_end, Kind::wrong_block, Kind::bit_flip, Kind::zeros, Kind::torn}) {
    SCOPED_TRACE(read_fault_name(kind));
    make(3, {{.when = {.at = 4}, .kind = kind, .error = EAGAIN}});
    for (const io::ReadDone& done : read_all()) {
      if (done.tag != 4) {
        EXPECT_EQ(done.error, 0);
        EXPECT_TRUE(right(done.tag));
        continue;
      }
      const int expected = kind == Kind::error ? EAGAIN : kind == Kind::early_end ? EIO : 0;
      EXPECT_EQ(done.error, expected);
      EXPECT_FALSE(right(4));
    }
    if (kind == Kind::bit_flip) {
      EXPECT_EQ(wrong_bytes(4), 1);
    }
    if (kind == Kind::zeros) {
      EXPECT_EQ(std::count(page(4), page(5), std::byte{0}), kPage);
    }
    if (kind == Kind::torn) {
      EXPECT_EQ(std::memcmp(page(4), bytes_.data() + 4 * kPage, 512), 0);
    }
    if (kind == Kind::wrong_block) {
      bool found = false;
      for (std::size_t i = 0; i < kPages; ++i)
        found |= std::memcmp(page(4), bytes_.data() + i * kPage, kPage) == 0;
      EXPECT_TRUE(found);
    }
  }
}

TEST_F(SimDeviceTest, LostReadsNeverCompleteAndATimeLimitHolds) {
  make(3, {{.when = {.at = 4}, .kind = ReadFault::Kind::lost}});
  const auto done = read_all(1000);
  EXPECT_LT(done.size(), kPages);
  std::vector<io::ReadDone> more(kPages);
  for (int i = 0; i < 100; ++i)
    for (const io::ReadDone& one : std::span(more).first(must(device_->reap(more, 1, 1000))))
      EXPECT_NE(one.tag, 4u);
  EXPECT_EQ(device_->in_flight(), 1u);
  EXPECT_FALSE(right(4));
  EXPECT_FALSE(device_->drain());
  device_.reset();
  EXPECT_FALSE(right(4)) << "nobody waits for it";
  EXPECT_EQ(fs_->complete_left_behind(), 1u);
}

TEST_F(SimDeviceTest, WhatWaitsWithoutALimitForALostReadIsStuck) {
  make(3, {{.when = {.at = 4}, .kind = ReadFault::Kind::lost}});
  read_all(1000);
  std::vector<io::ReadDone> more(kPages);
  while (device_->in_flight() > 1) must(device_->reap(more, 1, -1));
  EXPECT_FALSE(device_->stuck());
  const auto lost = device_->reap(more, 1, -1);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io);
  EXPECT_TRUE(device_->stuck());
  EXPECT_FALSE(device_->submit({}));
  device_.reset();
  EXPECT_FALSE(right(4)) << "the destructor does not wait";
  EXPECT_EQ(fs_->complete_left_behind(), 1u);
}

TEST_F(SimDeviceTest, LateReadsComeAfterTheOthers) {
  make(3, {{.when = {.at = 0}, .kind = ReadFault::Kind::late}});
  const auto done = read_all();
  ASSERT_EQ(done.size(), kPages);
  EXPECT_EQ(done.back().tag, 0u);
  EXPECT_TRUE(right(0));
}

TEST_F(SimDeviceTest, DelayedReadsTakeTheirTimeAndHoldUpNoOther) {
  using std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kDelay(50);
  make(3, {{.when = {.at = 4}, .kind = ReadFault::Kind::delayed, .delay_us = 50'000}});
  const auto start = steady_clock::now();
  auto done = read_all(1000);
  if (steady_clock::now() - start < kDelay) {
    EXPECT_EQ(done.size(), kPages - 1) << "the time limit holds";
    for (const io::ReadDone& one : done) EXPECT_NE(one.tag, 4u);
    EXPECT_EQ(must(device_->reap(done, 1, 0)), 0u);
    EXPECT_EQ(must(device_->reap(done, 1, -1)), 1u);
    EXPECT_EQ(done[0].tag, 4u);
  }
  EXPECT_GE(steady_clock::now() - start, kDelay);
  EXPECT_TRUE(right(4));
}

TEST_F(SimDeviceTest, KeepsTheContractsOfARealDevice) {
  make(3, {});
  const io::ReadOp good{.bytes = kPage, .buffer = page(0)};
  io::ReadOp unaligned = good;
  unaligned.offset = 512;
  io::ReadOp unknown = good;
  unknown.file = 1;
  for (const io::ReadOp& bad : {unaligned, unknown}) {
    const io::ReadOp both[] = {good, bad};
    EXPECT_EQ(device_->submit(both).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(device_->in_flight(), 0u);
  }
  std::vector<io::ReadOp> many(kPages + 3, good);
  EXPECT_EQ(must(device_->submit(many)), kPages);
  EXPECT_EQ(must(device_->submit(many)), 0u);
  const auto past = must(fs_->open("f", true));
  io::AlignedBytes into(kPage);
  EXPECT_EQ(past->read(kPages * kPage, into.span()).error().code, ErrorCode::corrupt);
  EXPECT_EQ(past->read(1, into.span()).error().code, ErrorCode::invalid_argument);
}

TEST_F(SimDeviceTest, RealAndSimulatedFilesDoNotMix) {
  make(3, {});
  const io::ReadFile* const files[] = {file_.get()};
  EXPECT_EQ(io::posix_fs().make_device(files, {}, nullptr).error().code,
            ErrorCode::invalid_argument);
  SimFs other;
  EXPECT_EQ(other.make_device(files, {}, nullptr).error().code, ErrorCode::invalid_argument);
}

TEST_F(SimDeviceTest, FilesFailByThePlanToo) {
  make(3, {{.when = {.at = 0}, .kind = ReadFault::Kind::bit_flip}});
  ASSERT_TRUE(ok(file_->read(0, memory_.bytes().first(kPage))));
  EXPECT_EQ(wrong_bytes(0), 1);
  EXPECT_EQ(fs_->reads(), 1u);
}

}  // namespace
}  // namespace cairn::sim
