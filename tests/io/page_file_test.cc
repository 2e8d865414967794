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

// ---- going on after a kill

/// Writes `stream` by one writer after another, each killed some way after a checkpoint at one of
/// `kills`.
PageFileSummary write_with_kills(Fs& fs, const std::string& path, std::span<const std::byte> stream,
                                 std::vector<std::size_t> kills, WriteMode mode) {
  auto writer = must(PageWriter::create(fs, path, kId, mode));
  std::size_t done = 0;
  for (const std::size_t at : kills) {
    EXPECT_TRUE(ok(writer.append_stream(stream.subspan(done, at - done))));
    done = at;
    const PageWriterState state = must(writer.checkpoint());
    EXPECT_EQ(state.stream_bytes, at);
    EXPECT_EQ(state.pages * kId.payload_bytes() + state.tail.size(), at);
    EXPECT_EQ(must(fs.file_bytes(path)), state.pages * 4096) << "no page that is not full";
    EXPECT_TRUE(ok(writer.append_stream(random_bytes(at % 2'000'000, 99)))) << "lost";
    writer = must(PageWriter::resume(fs, path, kId, state, mode));
    EXPECT_EQ(writer.next_page().page, state.pages);
  }
  EXPECT_TRUE(ok(writer.append_stream(stream.subspan(done))));
  return must(writer.finish());
}

void expect_equal(const PageFileSummary& one, const PageFileSummary& other) {
  EXPECT_EQ(one.pages, other.pages);
  EXPECT_EQ(one.stream_bytes, other.stream_bytes);
  EXPECT_EQ(one.digest, other.digest);
}

TEST(PageResume, AtEveryPlaceGivesTheFileWrittenStraight) {
  const std::size_t payload = kId.payload_bytes();
  const auto stream = random_bytes(270 * payload + 77, 20);
  sim::SimFs fs;
  const PageFileSummary straight = write_stream(fs, "straight", stream);
  const auto expected = fs.bytes("straight");
  std::vector<std::size_t> places = {0, stream.size()};
  // The first pages, and the end of the writer's buffer of 256.
  for (const std::size_t page : {0u, 1u, 2u, 3u, 254u, 255u, 256u, 257u})
    for (const std::size_t inside :
         {std::size_t{0}, std::size_t{1}, std::size_t{2000}, payload - 1})
      places.push_back(page * payload + inside);
  for (const std::size_t at : places) {
    SCOPED_TRACE(at);
    expect_equal(write_with_kills(fs, "f", stream, {at}, WriteMode::direct), straight);
    ASSERT_EQ(fs.bytes("f"), expected);
    ASSERT_TRUE(ok(fs.remove("f")));
  }
}

TEST(PageResume, AnyNumberOfTimes) {
  const ScratchDir dir;
  sim::SimFs sim;
  std::mt19937_64 random(21);
  for (const std::size_t most : {std::size_t{3000}, std::size_t{20'000}, std::size_t{1'500'000}}) {
    const auto stream = random_bytes(most * 6, most);
    std::vector<std::size_t> kills;
    for (std::size_t at = 0; at <= stream.size(); at += random() % most) kills.push_back(at);
    const PageFileSummary straight = write_stream(sim, "straight", stream);
    for (const WriteMode mode : {WriteMode::buffered, WriteMode::direct}) {
      expect_equal(write_with_kills(sim, "f", stream, kills, mode), straight);
      EXPECT_EQ(sim.bytes("f"), sim.bytes("straight"));
      expect_equal(write_with_kills(posix_fs(), dir.file("f"), stream, kills, mode), straight);
      const auto file = must(posix_fs().open(dir.file("f"), false));
      std::vector<std::byte> bytes(file->bytes());
      ASSERT_TRUE(ok(file->read(0, bytes)));
      EXPECT_EQ(bytes, sim.bytes("straight"));
      ASSERT_TRUE(ok(sim.remove("f")));
      ASSERT_TRUE(ok(posix_fs().remove(dir.file("f"))));
    }
    ASSERT_TRUE(ok(sim.remove("straight")));
  }
}

TEST(PageResume, CheckpointsAloneChangeNothing) {
  sim::SimFs fs;
  const auto stream = random_bytes(40'000, 22);
  const PageFileSummary straight = write_stream(fs, "straight", stream);
  auto writer = must(PageWriter::create(fs, "f", kId));
  for (std::size_t at = 0; at < stream.size(); at += 1000) {
    ASSERT_TRUE(ok(writer.append_stream(std::span(stream).subspan(at, 1000))));
    for (int twice = 0; twice < 2; ++twice)
      EXPECT_EQ(must(writer.checkpoint()).stream_bytes, at + 1000);
  }
  expect_equal(must(writer.finish()), straight);
  EXPECT_EQ(fs.bytes("f"), fs.bytes("straight"));
}

TEST(PageResume, SealedPagesGoOn) {
  sim::SimFs fs;
  const PageFileId id{.identity = 9, .generation = 1, .page_bytes = 12288};
  auto pages = random_bytes(5 * 12288, 10);
  for (std::uint64_t p = 0; p < 5; ++p)
    layout::seal_page(std::span(pages).subspan(p * 12288, 12288), id.page(p));
  auto writer = must(PageWriter::create(fs, "f", id));
  ASSERT_TRUE(ok(writer.append_sealed(std::span(pages).first(2 * 12288))));
  const PageWriterState state = must(writer.checkpoint());
  EXPECT_EQ(state.pages, 2u);
  EXPECT_EQ(state.stream_bytes, 0u);
  EXPECT_TRUE(state.tail.empty());
  ASSERT_TRUE(ok(writer.append_sealed(std::span(pages).first(12288)))) << "lost";
  writer = must(PageWriter::resume(fs, "f", id, state));
  EXPECT_EQ(writer.next_page().page, 2u);
  ASSERT_TRUE(ok(writer.append_sealed(std::span(pages).subspan(2 * 12288))));
  const PageFileSummary summary = must(writer.finish());
  EXPECT_EQ(fs.bytes("f"), pages);
  EXPECT_EQ(summary.pages, 5u);
  EXPECT_EQ(must(scan_pages(*must(fs.open("f", true)), id, {})).digest, summary.digest);
}

TEST(PageResume, NamesADamagedPageAndAMissingOne) {
  sim::SimFs fs;
  auto writer = must(PageWriter::create(fs, "f", kId));
  ASSERT_TRUE(ok(writer.append_stream(random_bytes(4 * 4088 + 9, 23))));
  const PageWriterState state = must(writer.checkpoint());
  const auto good = fs.bytes("f");
  for (std::size_t page = 0; page < 4; ++page) {
    auto bad = good;
    bad[page * 4096 + 1234] ^= std::byte{4};
    fs.set_bytes("f", bad);
    const auto resumed = PageWriter::resume(fs, "f", kId, state);
    ASSERT_FALSE(resumed);
    EXPECT_EQ(resumed.error().code, ErrorCode::corrupt);
    EXPECT_EQ(resumed.error().file, "f");
    EXPECT_EQ(resumed.error().block, page);
  }
  auto cut = good;
  cut.pop_back();
  fs.set_bytes("f", cut);
  const auto resumed = PageWriter::resume(fs, "f", kId, state);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, ErrorCode::corrupt);
  EXPECT_EQ(resumed.error().found, "16383 bytes");
}

TEST(PageResume, RefusesAStateThatNoCheckpointGives) {
  sim::SimFs fs;
  write_stream(fs, "f", random_bytes(3 * 4088, 24));
  const auto good = fs.bytes("f");
  const std::uint64_t huge = std::uint64_t{1} << 52;  // times 4096: 0 in 64 bits
  const std::vector<PageWriterState> states = {{1, 4089, {}},
                                               {1, 4088, std::vector<std::byte>(1)},
                                               {0, 4088, std::vector<std::byte>(4088)},
                                               {1, 0, std::vector<std::byte>(5)},
                                               {huge, 0, {}}};
  for (const PageWriterState& state : states)
    EXPECT_EQ(PageWriter::resume(fs, "f", kId, state).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(fs.bytes("f"), good) << "and cuts nothing for it";
}

TEST(PageResume, AfterALossOfPowerGivesTheSameBytes) {
  const auto stream = random_bytes(3'000'000, 25);
  sim::SimFs straight;
  const PageFileSummary expected = write_stream(straight, "f", stream);
  sim::SimFs fs;
  auto writer = must(PageWriter::create(fs, "f", kId));
  ASSERT_TRUE(ok(fs.sync_dir(".")));
  ASSERT_TRUE(ok(writer.append_stream(std::span(stream).first(500'000))));
  must(writer.checkpoint());
  ASSERT_TRUE(ok(writer.append_stream(std::span(stream).subspan(500'000, 700'000))));
  const PageWriterState state = must(writer.checkpoint());
  ASSERT_TRUE(ok(writer.append_stream(std::span(stream).subspan(1'200'000))));
  const auto pending = fs.pending();
  ASSERT_EQ(pending.size(), 1u);
  for (const auto& fates : sim::fate_sets(pending.size(), 26)) {
    const auto after = fs.after_power_loss(fates, 27);
    auto resumed = must(PageWriter::resume(*after, "f", kId, state));
    ASSERT_TRUE(ok(resumed.append_stream(std::span(stream).subspan(1'200'000))));
    expect_equal(must(resumed.finish()), expected);
    EXPECT_EQ(after->bytes("f"), straight.bytes("f"));
  }
}

TEST(PageResume, EveryFailedOperationIsReportedAndStays) {
  const auto stream = random_bytes(20'000, 28);
  const auto run = [&](sim::SimFs& fs, bool& stays) -> Result<PageFileSummary> {
    CAIRN_ASSIGN(auto writer, PageWriter::create(fs, "f", kId));
    CAIRN_TRY(writer.append_stream(stream));
    const auto state = writer.checkpoint();
    if (!state) {
      const std::string first = state.error().to_string();
      stays = writer.append_stream(stream).error().to_string() == first &&
              writer.checkpoint().error().to_string() == first &&
              writer.finish().error().to_string() == first;
      return fail(state.error());
    }
    CAIRN_ASSIGN(writer, PageWriter::resume(fs, "f", kId, *state));
    CAIRN_TRY(writer.append_stream(stream));
    return writer.finish();
  };
  bool stays = true;
  sim::SimFs clean;
  ASSERT_TRUE(run(clean, stays));
  const std::size_t operations = clean.operations().size();
  EXPECT_GE(operations, 8u);
  for (std::size_t at = 0; at < operations; ++at) {
    sim::SimFs fs;
    fs.faults().add(sim::FsFault{.when = {.at = at}, .error = ENOSPC});
    const auto result = run(fs, stays);
    ASSERT_FALSE(result) << at;
    EXPECT_EQ(result.error().code, ErrorCode::no_space) << at;
    EXPECT_TRUE(stays) << at;
  }
}

}  // namespace
}  // namespace cairn::io
