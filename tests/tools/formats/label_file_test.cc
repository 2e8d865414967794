#include "tools/formats/label_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/format_samples.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;
using io::ScratchDir;
using Labels = std::vector<Label>;

Result<Labels> read_bytes(const Sample& sample, LabelCoding coding, std::uint64_t count) {
  MemorySource source(sample.bytes());
  return read_labels(source, coding, count, "x");
}

/// That the error is invalid_argument of "x" and holds both words.
void expect_bad(const Result<Labels>& labels, const std::string& found,
                const std::string& expected) {
  ASSERT_FALSE(labels);
  EXPECT_EQ(labels.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(labels.error().file, "x");
  EXPECT_NE(labels.error().found.find(found), std::string::npos) << labels.error().found;
  EXPECT_NE(labels.error().expected.find(expected), std::string::npos) << labels.error().expected;
}

TEST(LabelFile, TextOneALine) {
  const auto text = [](std::string_view lines, std::uint64_t count) {
    return read_bytes(Sample{}.text(lines), LabelCoding::text, count);
  };
  EXPECT_EQ(must(text("5\n18446744073709551615\n0\n", 3)), (Labels{5, ~Label{0}, 0}));
  EXPECT_EQ(must(text("5\r\n6", 2)), (Labels{5, 6})) << "the last line needs no end";
  expect_bad(text("5\n6\n", 3), "2 labels", "3");
  expect_bad(text("5\n6\n7\n", 2), "more than 2", "one a vector");
  expect_bad(text("5\n\n7\n", 3), "line 2 ''", "whole number");
  expect_bad(text("18446744073709551616\n", 1), "line 1", "below 2^64");
  expect_bad(text(" 5\n", 1), "line 1 ' 5'", "whole number");
  expect_bad(text(std::string(65, '0') + "\n", 1), "line 1", "whole number");
  expect_bad(text(std::string(200000, '0'), 1), "line 1", "whole number");
}

TEST(LabelFile, TextLongerThanOneRead) {
  Sample sample;
  Labels expected;
  for (Label i = 0; i < 20000; ++i) {
    expected.push_back(i * 1000000007);
    sample.text(std::to_string(expected.back()) + "\n");
  }
  EXPECT_EQ(must(read_bytes(sample, LabelCoding::text, expected.size())), expected);
}

TEST(LabelFile, Binary) {
  const auto binary = [](const Sample& sample, std::uint64_t count) {
    return read_bytes(sample, LabelCoding::u64bin, count);
  };
  const auto two = [] { return Sample{}.u32(2).u32(1).u32(7).u32(0).u32(0).u32(0x80000000); };
  EXPECT_EQ(must(binary(two(), 2)), (Labels{7, Label{1} << 63}));
  expect_bad(binary(two(), 3), "2 x 1", "3 x 1");
  expect_bad(binary(Sample{}.u32(2).u32(2).u32(7).u32(0).u32(9).u32(0), 2), "2 x 2", "2 x 1");
  expect_bad(binary(two().u8(0), 2), "25 bytes", "24 bytes");
  expect_bad(binary(Sample{}.u32(2).u32(1).u32(7).u32(0), 2), "16 bytes", "24 bytes");
  expect_bad(binary(Sample{}.u32(2), 2), "4 bytes", "2 x 1");
  expect_bad(binary(Sample{}.u32(0xffffffff).u32(1), 0xffffffff), "8 bytes", "34359738368 bytes");
}

TEST(LabelFile, TheNameIsTheCoding) {
  const ScratchDir scratch;
  const Sample sample = Sample{}.u32(1).u32(1).u32(9).u32(0);
  std::ofstream(scratch.file("l.u64bin"), std::ios::binary)
      .write(reinterpret_cast<const char*>(sample.bytes().data()),
             static_cast<std::streamsize>(sample.bytes().size()));
  std::ofstream(scratch.file("l.txt")) << "9\n";
  EXPECT_EQ(must(read_labels(scratch.file("l.u64bin"), 1)), Labels{9});
  EXPECT_EQ(must(read_labels(scratch.file("l.txt"), 1)), Labels{9});
}

TEST(LabelFile, ErrorsOfOpeningSayWhy) {
  const ScratchDir scratch;
  const auto none = read_labels(scratch.file("none"), 1);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
  const auto folder = read_labels(scratch.path(), 1);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(folder.error().found, "a folder");
}

}  // namespace
}  // namespace cairn::formats
