#include "io/stream_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "tests/io/io_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::io {
namespace {

constexpr std::size_t kBytes = 5'000'000;

PageFileId id_of(std::uint64_t file) { return {.identity = 77 + file, .generation = file}; }

/// Two files of known streams on a file system.
struct Streams {
  explicit Streams(Fs& fs_in, const std::string& folder = "") : fs(fs_in) {
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::string path = folder + "stream" + std::to_string(i);
      auto writer = must(PageWriter::create(fs, path, id_of(i)));
      content.push_back(random_bytes(kBytes, i + 1));
      EXPECT_TRUE(ok(writer.append_stream(content[i])));
      must(writer.finish());
      files.push_back(must(fs.open(path, true)));
    }
  }

  /// Loads `parts` of (file, offset, bytes) and compares.
  struct Part {
    std::size_t file, offset, bytes;
  };
  Status load(const std::vector<Part>& parts, Backend backend, bool& equal) {
    std::vector<std::vector<std::byte>> into;
    for (const Part& part : parts) into.emplace_back(part.bytes);
    std::vector<StreamRange> ranges;
    for (std::size_t i = 0; i < parts.size(); ++i)
      ranges.push_back(
          {files[parts[i].file].get(), id_of(parts[i].file), parts[i].offset, into[i]});
    CAIRN_TRY(load_streams(fs, ranges, {.backend = backend}));
    equal = true;
    for (std::size_t i = 0; i < parts.size(); ++i)
      equal &=
          std::equal(into[i].begin(), into[i].end(),
                     content[parts[i].file].begin() + static_cast<std::ptrdiff_t>(parts[i].offset));
    return {};
  }

  Fs& fs;
  std::vector<std::vector<std::byte>> content;
  std::vector<std::unique_ptr<ReadFile>> files;
};

const std::vector<Streams::Part> kParts = {
    {0, 0, 0},          {0, 16, 4088}, {1, 4087, 2}, {0, 0, kBytes}, {1, 1'000'000, 3'000'000},
    {1, kBytes - 1, 1}, {1, kBytes, 0}};

TEST(StreamLoad, FillsRangesInWhateverOrderReadsEnd) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    sim::SimFs fs(seed);
    Streams streams(fs);
    bool equal = false;
    ASSERT_TRUE(ok(streams.load(kParts, Backend::automatic, equal)));
    EXPECT_TRUE(equal) << seed;
  }
  sim::SimFs fs;
  EXPECT_TRUE(ok(load_streams(fs, {}, {})));
}

TEST(StreamLoad, TheSameOnARealDiskByEveryBackend) {
  const ScratchDir dir;
  Streams streams(posix_fs(), dir.file(""));
  for (const Backend backend : {Backend::automatic, Backend::pread, Backend::sync}) {
    bool equal = false;
    ASSERT_TRUE(ok(streams.load(kParts, backend, equal)));
    EXPECT_TRUE(equal) << backend_name(backend);
  }
}

TEST(StreamLoad, RandomRanges) {
  std::mt19937_64 random(99);
  sim::SimFs fs;
  Streams streams(fs);
  for (int round = 0; round < 20; ++round) {
    std::vector<Streams::Part> parts;
    for (int i = 0; i < 5; ++i) {
      const std::size_t offset = random() % kBytes;
      parts.push_back(
          {random() % 2, offset, random() % std::min<std::size_t>(kBytes - offset + 1, 2'500'000)});
    }
    bool equal = false;
    ASSERT_TRUE(ok(streams.load(parts, Backend::automatic, equal)));
    EXPECT_TRUE(equal) << round;
  }
}

TEST(StreamLoad, NamesADamagedPage) {
  sim::SimFs fs;
  Streams streams(fs);
  auto bytes = fs.bytes("stream1");
  bytes[700 * 4096 + 50] ^= std::byte{1};
  fs.set_bytes("stream1", bytes);
  bool equal = false;
  const Status loaded = streams.load(kParts, Backend::automatic, equal);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::corrupt);
  EXPECT_EQ(loaded.error().file, "stream1");
  EXPECT_EQ(loaded.error().block, 700u);
  // A part that does not need that page does not see it.
  ASSERT_TRUE(ok(streams.load({{1, 0, 100'000}}, Backend::automatic, equal)));
  EXPECT_TRUE(equal);
}

TEST(StreamLoad, RefusesARangeBeyondItsFile) {
  sim::SimFs fs;
  Streams streams(fs);
  const std::size_t pages = (kBytes + 4087) / 4088;
  std::vector<std::byte> one(1);
  const StreamRange range{streams.files[0].get(), id_of(0), pages * 4088, one};
  const Status loaded = load_streams(fs, {&range, 1}, {});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::corrupt);
  EXPECT_EQ(loaded.error().file, "stream0");
}

}  // namespace
}  // namespace cairn::io
