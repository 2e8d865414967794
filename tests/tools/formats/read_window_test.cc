// One region of a file through a buffer: the bytes asked for, and no seek on the way forward.
#include "tools/formats/read_window.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;

/// Counts jumps: seeks that lead elsewhere.
class CountingSource final : public ByteSource {
 public:
  CountingSource(std::span<const std::byte> data, int& jumps) : view_(data), jumps_(jumps) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    auto got = view_.read(into);
    at_ += *got;
    return got;
  }
  Status seek(std::uint64_t offset) override {
    if (offset != at_) ++jumps_;
    at_ = offset;
    return view_.seek(offset);
  }
  std::optional<std::uint64_t> bytes() const override { return view_.bytes(); }

 private:
  ViewSource view_;
  int& jumps_;
  std::uint64_t at_ = 0;
};

class Reading : public ::testing::Test {
 protected:
  static constexpr std::size_t kBytes = 1'000'000;

  ReadWindow window(std::size_t bytes) {
    return ReadWindow(std::make_unique<CountingSource>(data_, jumps_), "x", bytes);
  }
  void expect_at(ReadWindow& window, std::uint64_t offset, std::size_t count) {
    const auto got = must(window.at(offset, count));
    ASSERT_EQ(got.size(), count);
    ASSERT_TRUE(
        std::equal(got.begin(), got.end(), data_.begin() + static_cast<std::ptrdiff_t>(offset)))
        << offset;
  }

  std::vector<std::byte> data_ = io::random_bytes(kBytes, 1);
  int jumps_ = 0;
};

TEST_F(Reading, OnNeverSeeks) {
  ReadWindow in = window(4096);
  for (std::uint64_t at = 0; at + 700 <= kBytes; at += 700) expect_at(in, at, 700);
  EXPECT_EQ(jumps_, 0);
}

TEST_F(Reading, OverSmallGapsNeverSeeks) {
  ReadWindow in = window(4096);
  for (std::uint64_t at = 0; at + 100 <= kBytes; at += 5000) expect_at(in, at, 100);
  for (const std::uint64_t gap : {std::uint64_t{64} << 10, std::uint64_t{1}}) {
    ReadWindow again = window(10);
    expect_at(again, 0, 10);
    expect_at(again, 10 + gap, 20);
  }
  EXPECT_EQ(jumps_, 0);
}

TEST_F(Reading, LargeGapsAndGoingBackSeekOnce) {
  ReadWindow in = window(10);
  expect_at(in, 0, 10);
  expect_at(in, 11 + (std::uint64_t{64} << 10), 10);
  EXPECT_EQ(jumps_, 1);
  expect_at(in, 0, 10);
  EXPECT_EQ(jumps_, 2);
}

TEST_F(Reading, AnywhereGivesTheSameBytes) {
  std::mt19937 random(2);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{70'000}}) {
    ReadWindow in = window(bytes);
    std::vector<std::byte> copied;
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t at = random() % kBytes;
      const std::size_t count = std::min<std::size_t>(random() % 3000, kBytes - at);
      expect_at(in, at, count);
      copied.assign(count, std::byte{0});
      ASSERT_TRUE(in.copy(at, copied));
      ASSERT_TRUE(std::equal(copied.begin(), copied.end(),
                             data_.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  }
}

TEST_F(Reading, EndsWhereTheFileDoes) {
  ReadWindow in = window(4096);
  expect_at(in, kBytes - 10, 10);
  const auto beyond = in.at(kBytes - 10, 11);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::corrupt);
  EXPECT_NE(beyond.error().to_string().find("'x'"), std::string::npos);
  EXPECT_NE(beyond.error().to_string().find("its end at byte 1000000"), std::string::npos);
  expect_at(in, kBytes - 10, 10);
  EXPECT_FALSE(in.at(kBytes + 5, 1));
  expect_at(in, 5, 10);
}

}  // namespace
}  // namespace cairn::formats
