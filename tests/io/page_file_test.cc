#include "io/page_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

#include "tests/io/io_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::io {
namespace {

constexpr PageFileId kId{.identity = 0x1234'5678'9abc'def0, .generation = 3};

PageFileSummary write_stream(Fs& fs, const std::string& path, std::span<const std::byte> bytes,
                             const PageFileId& id = kId) {
  auto writer = must(PageWriter::create(fs, path, id));
  EXPECT_TRUE(ok(writer.append_stream(bytes)));
  return must(writer.finish());
}

TEST(PageFile, StreamsOfAnyLengthComeBack) {
  const std::uint64_t payload = kId.payload_bytes();
  // Around the ends of pages and of the 1 MiB buffer.
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, payload - 1, payload, payload + 1, 256 * payload - 1,
        256 * payload, 256 * payload + 1, 600 * payload + 77}) {
    SCOPED_TRACE(bytes);
    sim::SimFs fs;
    const auto stream = random_bytes(bytes, bytes + 1);
    const PageFileSummary summary = write_stream(fs, "f", stream);
    EXPECT_EQ(summary.stream_bytes, bytes);
    EXPECT_EQ(summary.pages, (bytes + payload - 1) / payload);
    EXPECT_EQ(fs.bytes("f").size(), summary.pages * 4096);
    const auto file = must(fs.open("f", true));
    auto reader = must(PageStreamReader::create(*file, kId, bytes));
    std::vector<std::byte> back(bytes);
    ASSERT_TRUE(ok(reader.read(0, back)));
    EXPECT_EQ(back, stream);
    EXPECT_EQ(must(scan_pages(*file, kId, {})).digest, summary.digest);
  }
}

TEST(PageFile, TheSameOnARealDisk) {
  const ScratchDir dir;
  const auto stream = random_bytes(3'000'000, 5);
  const PageFileSummary summary = write_stream(posix_fs(), dir.file("f"), stream);
  const auto file = must(posix_fs().open(dir.file("f"), true));
  auto reader = must(PageStreamReader::create(*file, kId, stream.size()));
  std::vector<std::byte> back(stream.size());
  ASSERT_TRUE(ok(reader.read(0, back)));
  EXPECT_EQ(back, stream);
  EXPECT_EQ(must(scan_pages(*file, kId, {})).pages, summary.pages);
  EXPECT_EQ(PageWriter::create(posix_fs(), dir.file("f"), kId).error().code,
            ErrorCode::already_exists);
}

TEST(PageFile, AnyRangeOfTheStreamIsReadable) {
  sim::SimFs fs;
  const auto stream = random_bytes(1'300'000, 6);
  write_stream(fs, "f", stream);
  const auto file = must(fs.open("f", true));
  auto reader = must(PageStreamReader::create(*file, kId, stream.size()));
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t offset = random() % (stream.size() + 1);
    const std::uint64_t most = i % 2 == 0 ? 5000 : stream.size();
    std::vector<std::byte> into(random() % (std::min(most, stream.size() - offset) + 1));
    ASSERT_TRUE(ok(reader.read(offset, into)));
    ASSERT_TRUE(
        std::equal(into.begin(), into.end(), stream.begin() + static_cast<std::ptrdiff_t>(offset)))
        << offset << " + " << into.size();
  }
  std::vector<std::byte> beyond(1);
  EXPECT_EQ(reader.read(stream.size(), beyond).error().code, ErrorCode::corrupt);
  EXPECT_EQ(reader.read(~std::uint64_t{0}, beyond).error().code, ErrorCode::corrupt);
}

TEST(PageFile, BytesDoNotDependOnHowTheyWereAppended) {
  sim::SimFs fs;
  const auto stream = random_bytes(1'200'000, 8);
  const PageFileSummary whole = write_stream(fs, "whole", stream);
  auto writer = must(PageWriter::create(fs, "parts", kId));
  std::mt19937_64 random(9);
  for (std::span<const std::byte> rest(stream); !rest.empty();) {
    const std::size_t part = std::min<std::size_t>(rest.size(), random() % 20'000);
    ASSERT_TRUE(ok(writer.append_stream(rest.first(part))));
    rest = rest.subspan(part);
  }
  EXPECT_EQ(must(writer.finish()).digest, whole.digest);
  EXPECT_EQ(fs.bytes("parts"), fs.bytes("whole"));
}

TEST(PageFile, SealedPagesOfAnySize) {
  sim::SimFs fs;
  const PageFileId id{.identity = 9, .generation = 1, .page_bytes = 12288};
  auto writer = must(PageWriter::create(fs, "f", id));
  auto pages = random_bytes(5 * 12288, 10);
  for (std::uint64_t p = 0; p < 5; ++p)
    layout::seal_page(std::span(pages).subspan(p * 12288, 12288), writer.next_page(p));
  ASSERT_TRUE(ok(writer.append_sealed(std::span(pages).first(2 * 12288))));
  EXPECT_EQ(writer.next_page().page, 2u);
  ASSERT_TRUE(ok(writer.append_sealed(std::span(pages).subspan(2 * 12288))));
  const PageFileSummary summary = must(writer.finish());
  EXPECT_EQ(summary.pages, 5u);
  EXPECT_EQ(summary.stream_bytes, 0u);
  const auto file = must(fs.open("f", true));
  std::uint64_t seen = 0;
  const auto scanned =
      must(scan_pages(*file, id, [&](std::uint64_t page, std::span<const std::byte> bytes) {
        EXPECT_EQ(page, seen++);
        EXPECT_TRUE(std::ranges::equal(bytes, std::span(pages).subspan(page * 12288, 12288)));
        return Status{};
      }));
  EXPECT_EQ(seen, 5u);
  EXPECT_EQ(scanned.digest, summary.digest);
}

TEST(PageFile, EveryFlippedBitOfAPageIsFoundAndNamed) {
  sim::SimFs fs;
  const auto stream = random_bytes(3 * 4088, 11);
  write_stream(fs, "f", stream);
  const auto good = fs.bytes("f");
  std::vector<std::byte> into(stream.size());
  for (std::size_t bit = 0; bit < 4096 * 8; bit += 7) {
    auto bad = good;
    bad[4096 + bit / 8] ^= std::byte{1} << (bit % 8);
    fs.set_bytes("f", bad);
    const auto file = must(fs.open("f", true));
    auto reader = must(PageStreamReader::create(*file, kId, stream.size()));
    const Status status = reader.read(0, into);
    ASSERT_FALSE(status) << bit;
    ASSERT_EQ(status.error().code, ErrorCode::corrupt);
    ASSERT_EQ(status.error().block, 1u);
    ASSERT_EQ(status.error().file, "f");
  }
}

TEST(PageFile, PagesOfOtherPlacesAndGenerationsDoNotPass) {
  sim::SimFs fs;
  const auto stream = random_bytes(4 * 4088, 12);
  write_stream(fs, "f", stream);
  const auto good = fs.bytes("f");
  auto swapped = good;
  std::swap_ranges(swapped.begin(), swapped.begin() + 4096, swapped.begin() + 4096);
  fs.set_bytes("f", swapped);
  auto file = must(fs.open("f", true));
  EXPECT_EQ(scan_pages(*file, kId, {}).error().block, 0u);
  fs.set_bytes("f", good);
  EXPECT_TRUE(scan_pages(*file, kId, {}));
  for (PageFileId other : {PageFileId{.identity = kId.identity + 1, .generation = 3},
                           PageFileId{.identity = kId.identity, .generation = 4}})
    EXPECT_EQ(scan_pages(*file, other, {}).error().code, ErrorCode::corrupt);
}

TEST(PageFile, LengthsThatDisagreeAreCorrupt) {
  sim::SimFs fs;
  const auto stream = random_bytes(4 * 4088, 13);
  write_stream(fs, "f", stream);
  const auto good = fs.bytes("f");
  const auto opened = [&](std::size_t bytes, std::uint64_t stream_bytes) {
    auto changed = good;
    changed.resize(bytes);
    fs.set_bytes("f", changed);
    const auto file = must(fs.open("f", true));
    auto reader = PageStreamReader::create(*file, kId, stream_bytes);
    return reader ? std::string("ok") : std::string(error_name(reader.error().code));
  };
  EXPECT_EQ(opened(good.size(), stream.size()), "ok");
  EXPECT_EQ(opened(good.size() - 1, stream.size()), "corrupt");
  EXPECT_EQ(opened(good.size() - 4096, stream.size()), "corrupt");
  EXPECT_EQ(opened(good.size() + 4096, stream.size()), "corrupt");
  EXPECT_EQ(opened(good.size(), stream.size() + 1), "corrupt");
  EXPECT_EQ(opened(good.size(), ~std::uint64_t{0}), "corrupt");
}

TEST(PageFile, OddPageSizesAreRefused) {
  sim::SimFs fs;
  for (const std::uint32_t page_bytes : {0u, 100u, 4095u, 6000u}) {
    const PageFileId id{.page_bytes = page_bytes};
    EXPECT_EQ(PageWriter::create(fs, "f", id).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(must(fs.exists("f"))) << "nothing is created for an argument that is wrong";
}

// Every operation of a write in turn fails; no file that finish() vouched for may be short.
TEST(PageFile, EveryFailedOperationIsReported) {
  const auto stream = random_bytes(2'500'000, 14);
  const auto run = [&](sim::SimFs& fs) -> Result<PageFileSummary> {
    CAIRN_ASSIGN(auto writer, PageWriter::create(fs, "f", kId));
    for (std::size_t at = 0; at < stream.size(); at += 100'000)
      CAIRN_TRY(writer.append_stream(std::span(stream).subspan(at, 100'000)));
    return writer.finish();
  };
  sim::SimFs clean;
  ASSERT_TRUE(run(clean));
  const std::size_t operations = clean.operations().size();
  EXPECT_GE(operations, 6u);
  for (std::size_t at = 0; at < operations; ++at)
    for (const auto kind : {sim::FsFault::Kind::error, sim::FsFault::Kind::partial}) {
      sim::SimFs fs;
      fs.faults().add(sim::FsFault{.when = {.at = at}, .kind = kind, .error = ENOSPC});
      const auto result = run(fs);
      ASSERT_FALSE(result) << at;
      EXPECT_EQ(result.error().code, ErrorCode::no_space);
    }
}

TEST(PageFile, AVisitorsErrorEndsTheScan) {
  sim::SimFs fs;
  write_stream(fs, "f", random_bytes(3 * 4088, 15));
  const auto file = must(fs.open("f", false));
  const auto result = scan_pages(*file, kId, [](std::uint64_t page, std::span<const std::byte>) {
    return page == 1 ? Status(fail(ErrorCode::cancelled, "enough")) : Status{};
  });
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace cairn::io
