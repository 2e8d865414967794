#include "io/read_progress.h"

#include <gtest/gtest.h>

namespace cairn::io {
namespace {

using Step = ReadProgress::Step;

TEST(ReadProgress, WholeReadFinishesAtOnce) {
  ReadProgress read(4096, 4096, 1 << 20, 4096);
  EXPECT_EQ(read.advance(4096), Step::finished);
  EXPECT_EQ(read.error(), 0);
}

TEST(ReadProgress, ShortDirectReadGoesOnFromTheLastBoundary) {
  ReadProgress read(8192, 4 * 4096, 1 << 20, 4096);
  EXPECT_EQ(read.advance(4096 + 512), Step::again);
  EXPECT_EQ(read.next_offset(), 8192u + 4096);
  EXPECT_EQ(read.remaining(), 3u * 4096);
  EXPECT_EQ(read.advance(3 * 4096), Step::finished);
}

TEST(ReadProgress, ShortBufferedReadGoesOnWhereItStopped) {
  ReadProgress read(10, 100, 1000, 1);
  EXPECT_EQ(read.advance(33), Step::again);
  EXPECT_EQ(read.next_offset(), 43u);
  EXPECT_EQ(read.advance(67), Step::finished);
}

TEST(ReadProgress, EndOfFileIsAnEarlyEnd) {
  ReadProgress zero(0, 4096, 1 << 20, 4096);
  EXPECT_EQ(zero.advance(0), Step::failed);
  EXPECT_TRUE(zero.ended_early());
  EXPECT_EQ(zero.error(), EIO);

  ReadProgress tail(4096, 8192, 4096 + 5000, 4096);
  EXPECT_EQ(tail.advance(5000), Step::failed);
  EXPECT_TRUE(tail.ended_early());
  EXPECT_EQ(tail.done(), 5000u);
}

TEST(ReadProgress, InterruptsAreRepeatedButNotForEver) {
  ReadProgress read(0, 4096, 1 << 20, 4096);
  std::uint32_t tries = 0;
  while (read.advance(tries % 2 == 0 ? -EINTR : -EAGAIN) == Step::again) ASSERT_LT(++tries, 5000u);
  EXPECT_GT(tries, 100u);
  EXPECT_FALSE(read.ended_early());
  EXPECT_TRUE(read.error() == EINTR || read.error() == EAGAIN);
}

TEST(ReadProgress, ReadsThatNeverPassABoundaryEnd) {
  ReadProgress read(0, 4096, 1 << 20, 4096);
  std::uint32_t tries = 0;
  while (read.advance(512) == Step::again) ASSERT_LT(++tries, 5000u);
  EXPECT_EQ(read.error(), EIO);
}

TEST(ReadProgress, OtherErrorsAreFinal) {
  for (const int error : {EIO, EFAULT, EBADF, EINVAL, ECANCELED}) {
    ReadProgress read(0, 4096, 1 << 20, 4096);
    EXPECT_EQ(read.advance(-error), Step::failed);
    EXPECT_EQ(read.error(), error);
    EXPECT_FALSE(read.ended_early());
  }
}

}  // namespace
}  // namespace cairn::io
