#include "tools/formats/output_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/io/io_test_util.h"

namespace cairn::formats {
namespace {

using io::must;
using io::ScratchDir;

TEST(OutputFile, AppearsWholeOrNotAtAll) {
  const ScratchDir scratch;
  const std::string path = scratch.file("x");
  const std::string text = "whole";
  const auto bytes = std::as_bytes(std::span{text});
  {
    const auto file = must(OutputFile::create(path));
    EXPECT_TRUE(io::ok(file->append(bytes)));
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  const auto file = must(OutputFile::create(path));
  EXPECT_TRUE(io::ok(file->append(bytes)));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(io::ok(file->commit()));
  EXPECT_EQ(std::filesystem::file_size(path), text.size());
}

TEST(OutputFile, WhatAKilledRunOfThisProcessIdLeftIsReplaced) {
  const ScratchDir scratch;
  const std::string part = scratch.file("x.part-" + std::to_string(::getpid()));
  std::ofstream(part) << "stale";
  const auto file = must(OutputFile::create(scratch.file("x")));
  EXPECT_EQ(std::filesystem::file_size(part), 0U);
  EXPECT_TRUE(io::ok(file->commit()));
  EXPECT_FALSE(std::filesystem::exists(part));
}

TEST(OutputFile, KnowsAFileByAnyOfItsNames) {
  const ScratchDir scratch;
  std::filesystem::create_directory(scratch.file("folder"));
  std::filesystem::create_directory_symlink(scratch.file("folder"), scratch.file("link"));
  const std::string a = scratch.file("folder/a");
  EXPECT_TRUE(same_file(a, scratch.file("link/../folder/a"))) << "not there yet";
  EXPECT_TRUE(same_file(a, scratch.file("link/a")));
  EXPECT_FALSE(same_file(a, scratch.file("folder/b")));
  EXPECT_FALSE(same_file(a, scratch.file("a")));
  std::ofstream{a} << "a";
  std::ofstream{scratch.file("folder/b")} << "b";
  std::filesystem::create_hard_link(a, scratch.file("hard"));
  EXPECT_TRUE(same_file(a, scratch.file("link/a")));
  EXPECT_TRUE(same_file(a, scratch.file("hard")));
  EXPECT_FALSE(same_file(a, scratch.file("folder/b")));

  const Status refused = check_not_read(scratch.file("hard"), {scratch.file("none"), a});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().file, scratch.file("hard"));
  EXPECT_TRUE(check_not_read(scratch.file("new"), {a}));
}

}  // namespace
}  // namespace cairn::formats
