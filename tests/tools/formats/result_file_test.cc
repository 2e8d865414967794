#include "tools/formats/result_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "tests/io/io_test_util.h"
#include "tests/tools/formats/format_samples.h"
#include "tests/tools/formats/memory_source.h"

namespace cairn::formats {
namespace {

using io::must;
using io::ScratchDir;

Result<std::unique_ptr<ResultReader>> open_bytes(const Sample& sample) {
  return ResultReader::from_source(std::make_unique<MemorySource>(sample.bytes()), "x");
}

TEST(ResultFile, RoundTripPadsShortRows) {
  ScratchDir scratch;
  const std::string path = scratch.file("truth.bin");
  auto writer = must(ResultWriter::create(path, {.queries = 2, .k = 3}));
  const std::uint32_t ids[] = {5, 4, 9};
  const float distances[] = {0, 1.5F, 1.5F};
  EXPECT_TRUE(io::ok(writer->write(ids, distances)));
  EXPECT_TRUE(io::ok(writer->write(std::span{ids}.first(1), std::span{distances}.first(1))));
  EXPECT_TRUE(io::ok(writer->finish()));
  EXPECT_EQ(std::filesystem::file_size(path), 8 + 2 * 3 * 8U);

  const auto reader = must(ResultReader::open(path));
  EXPECT_EQ(reader->queries(), 2U);
  EXPECT_EQ(reader->k(), 3U);
  std::vector<std::uint32_t> got(3);
  std::vector<float> far(3);
  EXPECT_TRUE(io::ok(reader->read(1, got, far)));
  EXPECT_EQ(got, (std::vector<std::uint32_t>{5, kNoId, kNoId}));
  EXPECT_EQ(far[1], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(io::ok(reader->read(0, std::span{got}.first(2), std::span{far}.first(2))));
  EXPECT_EQ(got[1], 4U);
  EXPECT_EQ(far[1], 1.5F);
}

TEST(ResultFile, IsWrittenAsBigAnnDefinesIt) {
  const Sample file = Sample{}.u32(2).u32(1).u32(7).u32(8).f32(0.5F).f32(2);
  const auto reader = must(open_bytes(file));
  std::uint32_t id = 0;
  float distance = 0;
  EXPECT_TRUE(io::ok(reader->read(1, {&id, 1}, {&distance, 1})));
  EXPECT_EQ(id, 8U);
  EXPECT_EQ(distance, 2.0F);
}

TEST(ResultFile, MalformedHeadersAreRefused) {
  const auto error = [](const Sample& sample) { return open_bytes(sample).error(); };
  EXPECT_EQ(error({}).expected, "at least 8 (u32 queries, u32 k)");
  EXPECT_EQ(error(Sample{}.u32(0).u32(1)).found, "0 queries, k 1");
  EXPECT_EQ(error(Sample{}.u32(1).u32(0)).found, "1 queries, k 0");
  EXPECT_EQ(error(Sample{}.u32(1).u32(1).zeros(7)).found, "15 bytes");
  EXPECT_EQ(error(Sample{}.u32(1).u32(1).zeros(12)).found, "20 bytes");
  EXPECT_EQ(error(Sample{}.u32(1).u32(1).zeros(16)).expected, "8 + 1 x 1 x 8 bytes");
  EXPECT_EQ(error(Sample{}.u32(0xffffffff).u32(0xffffffff).zeros(8)).code, ErrorCode::corrupt);
  // 2^29 x 2^32 results of 8 bytes are 2^64 bytes: a product that wraps to 0.
  EXPECT_EQ(error(Sample{}.u32(1U << 31).u32(1U << 30)).code, ErrorCode::corrupt);
  EXPECT_EQ(error(Sample{}.u32(1).u32(0).zeros(8)).file, "x");
}

TEST(ResultFile, DistancesMustAscend) {
  std::vector<std::uint32_t> ids(2);
  std::vector<float> distances(2);
  const auto read = [&](float first, float second) {
    const Sample file = Sample{}.u32(1).u32(2).u32(0).u32(1).f32(first).f32(second);
    return must(open_bytes(file))->read(0, ids, distances);
  };
  EXPECT_TRUE(io::ok(read(1, 1)));
  EXPECT_FALSE(read(2, 1));
  EXPECT_FALSE(read(1, std::numeric_limits<float>::quiet_NaN()));
}

TEST(ResultFile, FewerRowsThanStatedAreRefused) {
  ScratchDir scratch;
  {
    auto writer = must(ResultWriter::create(scratch.file("r.bin"), {.queries = 2, .k = 1}));
    EXPECT_TRUE(io::ok(writer->write({}, {})));
    EXPECT_EQ(writer->finish().error().found, "1 rows");
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

}  // namespace
}  // namespace cairn::formats
