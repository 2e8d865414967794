#include "tools/build/keeps_work.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/io/io_test_util.h"

namespace cairn::tools {
namespace {

class WithWayOn : public ::testing::Test {
 protected:
  std::string line(Error error, const std::string& tail = "") const {
    return with_way_on(std::move(error), index_ + tail).to_string();
  }
  void keep() const { std::filesystem::create_directory(index_ + ".building"); }

  io::ScratchDir dir_;
  std::string index_ = dir_.file("i");
};

TEST_F(WithWayOn, TellsNothingWhereNothingIsKept) {
  EXPECT_EQ(line({.code = ErrorCode::cancelled, .what = "interrupted"}), "cancelled: interrupted");
  EXPECT_EQ(line({.code = ErrorCode::no_space, .what = "write", .file = "x"}),
            "no_space: write 'x'");
}

TEST_F(WithWayOn, OfACancelledBuildNamesFolderAndFresh) {
  keep();
  const std::string way =
      "; what is done is kept in '" + index_ +
      ".building': the same command goes on from there, with --fresh it starts anew";
  EXPECT_EQ(line({.code = ErrorCode::cancelled, .what = "interrupted"}),
            "cancelled: interrupted" + way);
  EXPECT_EQ(line({.code = ErrorCode::cancelled, .what = "build", .file = "x"}, "//"),
            "cancelled: build 'x'" + way);
}

TEST_F(WithWayOn, OfAFullDiskWaitsForRoom) {
  keep();
  EXPECT_EQ(line({.code = ErrorCode::no_space, .what = "write", .file = "x", .found = "full"}),
            "no_space: write 'x': found full, expected room: the same command goes on when there "
            "is some");
  EXPECT_EQ(line({.code = ErrorCode::no_space, .what = "write", .expected = "4 GiB"}),
            "no_space: write: expected 4 GiB; the same command goes on when there is room");
}

TEST_F(WithWayOn, OfADamagedWorkFolderIsAFreshBuild) {
  keep();
  const std::string file = index_ + ".building/000001.blocks";
  EXPECT_EQ(line({.code = ErrorCode::corrupt, .what = "read", .file = file, .expected = "8 bytes"}),
            "corrupt: read '" + file + "': expected 8 bytes; --fresh starts anew");
  EXPECT_EQ(
      line({.code = ErrorCode::not_found, .what = "open", .file = file}),
      "not_found: open '" + file + "': expected what an earlier run left; --fresh starts anew");
  EXPECT_EQ(line({.code = ErrorCode::not_found, .what = "open", .file = index_ + ".building"}),
            "not_found: open '" + index_ +
                ".building': expected what an earlier run left; --fresh starts anew");
}

TEST_F(WithWayOn, LeavesOtherErrorsAlone) {
  keep();
  EXPECT_EQ(line({.code = ErrorCode::corrupt, .what = "read", .file = "x"}), "corrupt: read 'x'");
  EXPECT_EQ(line({.code = ErrorCode::io, .what = "read", .file = "x"}), "io: read 'x'");
}

}  // namespace
}  // namespace cairn::tools
