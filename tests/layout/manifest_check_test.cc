// Every invariant between the records of a manifest, broken in turn: the error names it.
#include <functional>

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

struct Break {
  std::string name;
  std::function<void(Manifest&)> change;
  std::vector<std::string> words;
};

/// Also through the bytes, except for what the encoder fills in itself.
void expect_each_refused(const std::vector<Break>& breaks, bool through_bytes = true) {
  ASSERT_TRUE(check_manifest(sample_manifest()));
  for (const Break& one : breaks) {
    SCOPED_TRACE(one.name);
    Manifest m = sample_manifest();
    one.change(m);
    const Status status = check_manifest(m);
    ASSERT_FALSE(status);
    expect_error(status.error(), ErrorCode::corrupt, one.words);
    if (!through_bytes) continue;
    const auto decoded = decode_manifest(encode_manifest(m));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().to_string(), status.error().to_string());
  }
}

constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;
constexpr std::uint64_t kMax = ~std::uint64_t{0};

TEST(ManifestCheck, Header) {
  expect_each_refused({
      {"sequence",
       [](auto& m) { m.header.sequence = std::uint64_t{1} << 62; },
       {"header: sequence 4611686018427387904"}},
      {"dim 0", [](auto& m) { m.header.dim = 0; }, {"header: dim 0", "1 to 32768"}},
      {"dim above", [](auto& m) { m.header.dim = kDimMax + 1; }, {"dim 32769"}},
      {"dim max", [](auto& m) { m.header.dim = 0xffff'ffff; }, {"dim 4294967295"}},
      {"dtype 0", [](auto& m) { m.header.dtype = 0; }, {"dtype 0"}},
      {"dtype 4", [](auto& m) { m.header.dtype = 4; }, {"dtype 4", "1 to 3"}},
      {"metric 0", [](auto& m) { m.header.metric = 0; }, {"metric 0"}},
      {"metric 255", [](auto& m) { m.header.metric = 255; }, {"metric 255", "1 to 3"}},
      {"reserved0", [](auto& m) { m.header.reserved0 = 1; }, {"header: reserved 1"}},
      {"reserved1", [](auto& m) { m.header.reserved1 = 8; }, {"header: reserved 8"}},
      {"kernel path after its end",
       [](auto& m) { m.header.kernel_path[15] = 'x'; },
       {"kernel path"}},
      {"kernel path of control codes",
       [](auto& m) { m.header.kernel_path[1] = '\x1b'; },
       {"kernel path"}},
  });
}

TEST(ManifestCheck, AnyPrintableKernelPathPasses) {
  Manifest m = sample_manifest();
  std::memcpy(m.header.kernel_path, "~ 16 characters!", 16);
  EXPECT_TRUE(check_manifest(m)) << "16 characters need no zero";
  std::memset(m.header.kernel_path, 0, 16);
  EXPECT_TRUE(check_manifest(m));
  m.header.kernel_path[0] = '\x7f';
  EXPECT_FALSE(check_manifest(m));
}

TEST(ManifestCheck, Segments) {
  expect_each_refused({
      {"no slots", [](auto& m) { m.segments[0].slot_count = 0; }, {"segment 3: slot count 0"}},
      {"2^32 - 1 slots",
       [](auto& m) { m.segments[0].slot_count = kTwo32 - 1; },
       {"slot count 4294967295", "1 to 4294967294"}},
      {"2^32 slots", [](auto& m) { m.segments[0].slot_count = kTwo32; }, {"4294967296"}},
      {"2^64 - 1 slots", [](auto& m) { m.segments[0].slot_count = kMax; }, {"slot count 1844"}},
      {"2^31 slots",
       [](auto& m) { m.segments[0].slot_count = kTwo31; },
       {"segment 3: slots of its extents 100", "2147483648"}},
      {"no vectors",
       [](auto& m) { m.segments[1].vector_count = 0; },
       {"segment 5: vector count 0"}},
      {"more vectors than slots",
       [](auto& m) { m.segments[1].vector_count = 61; },
       {"vector count 61", "1 to 60"}},
      {"more edges than can be",
       [](auto& m) { m.segments[1].edge_count = 57 * 512 + 1; },
       {"edge count 29185", "0 to 29184"}},
      {"no slot a block",
       [](auto& m) { m.segments[1].slots_per_block = 0; },
       {"slots per block 0", "1 to 64"}},
      {"65 slots a block", [](auto& m) { m.segments[1].slots_per_block = 65; }, {"block 65"}},
      {"degree", [](auto& m) { m.segments[1].degree_max = kDegreeMax + 1; }, {"degree bound 513"}},
      {"no code", [](auto& m) { m.segments[1].code_bytes = 0; }, {"code bytes 0", "1 to 16"}},
      {"long code", [](auto& m) { m.segments[1].code_bytes = 17; }, {"code bytes 17"}},
      {"long refinement",
       [](auto& m) { m.segments[0].refine_bytes = 17; },
       {"refine bytes 17", "0 to 16"}},
      {"numbers descend",
       [](auto& m) { m.segments[0].segment = 6; },
       {"segment 5 after segment 6", "ascending"}},
      {"number twice", [](auto& m) { m.segments[1].segment = 3; }, {"segment 3 after segment 3"}},
  });
}

TEST(ManifestCheck, ACalibrationIsOfTheFirstSegmentAndHasItsBit) {
  const auto with = [](auto& m, std::uint64_t segment) {
    m.files.push_back(sample_file(m, 30, Role::calibration, segment, 1, 100));
    m.header.compatible = kCompatibleCalibration;
  };
  Manifest good = sample_manifest();
  with(good, 3);
  EXPECT_TRUE(check_manifest(good));
  ASSERT_NE(good.calibration(), nullptr);
  EXPECT_EQ(good.calibration()->number, 30U);
  EXPECT_EQ(sample_manifest().calibration(), nullptr);
  expect_each_refused({
      {"of another segment", [&](auto& m) { with(m, 5); }, {"segment 3", "calibration files 0"}},
      {"without its bit",
       [&](auto& m) {
         with(m, 3);
         m.header.compatible = 0;
       },
       {"calibration files 1", "0"}},
      {"a bit without it",
       [](auto& m) { m.header.compatible = kCompatibleCalibration; },
       {"calibration files 0", "1"}},
      {"two",
       [&](auto& m) {
         with(m, 3);
         m.files.push_back(sample_file(m, 31, Role::calibration, 3, 1, 100));
       },
       {"calibration files 2", "1"}},
  });
}

TEST(ManifestCheck, BlockShapes) {
  for (const std::uint32_t bytes :
       {0U, 1U, 4095U, 8193U, 6144U, (1U << 20) + 4096, 1U << 31, 0xffff'f000U, 0xffff'ffffU})
    expect_each_refused({{"block of " + std::to_string(bytes),
                          [bytes](auto& m) { m.segments[0].block_bytes = bytes; },
                          {"segment 3: 20 slots in a block of " + std::to_string(bytes)}}});
  expect_each_refused({{"vectors that do not fit",
                        [](auto& m) { m.header.dim = 200; },
                        {"20 slots in a block of 8192", "that holds them"}},
                       {"the largest vectors",
                        [](auto& m) { m.header.dim = kDimMax; },
                        {"20 slots in a block of 8192", "that holds them"}}});
}

TEST(ManifestCheck, Files) {
  expect_each_refused({
      {"number not yet given out",
       [](auto& m) { m.header.next_file_number = 23; },
       {"file 23", "below 23"}},
      {"number twice", [](auto& m) { m.files[1].number = 10; }, {"two files of number 10"}},
      {"identity twice",
       [](auto& m) { m.files[1].identity = m.files[9].identity; },
       {"two files of identity"}},
      {"role 0", [](auto& m) { m.files[3].role = 0; }, {"file 13: role 0", "1 to 7"}},
      {"reserved", [](auto& m) { m.files[3].reserved = 1; }, {"file 13: reserved 1"}},
      {"no such segment", [](auto& m) { m.files[3].segment = 4; }, {"file 13: segment 4"}},
      {"blocks of another size",
       [](auto& m) { m.files[0].page_bytes = 4096; },
       {"file 10: page bytes 4096", "8192"}},
      {"a stream of large pages",
       [](auto& m) { m.files[2].page_bytes = 8192; },
       {"file 12: page bytes 8192", "4096"}},
      {"page of no bytes", [](auto& m) { m.files[2].page_bytes = 0; }, {"page bytes 0"}},
      {"no pages", [](auto& m) { m.files[0].pages = 0; }, {"file 10: pages 0"}},
      {"2^51 pages",
       [](auto& m) { m.files[0].pages = std::uint64_t{1} << 50; },
       {"file 10: pages", std::to_string((std::uint64_t{1} << 50) - 1)}},
      {"2^64 - 1 pages", [](auto& m) { m.files[2].pages = kMax; }, {"file 12: pages"}},
      {"stream beyond its pages",
       [](auto& m) { m.files[4].stream_bytes = 4089; },
       {"file 14: stream bytes 4089", "1 to 4088"}},
      {"stream of fewer pages",
       [](auto& m) { m.files[9].stream_bytes = 4088; },
       {"file 22: stream bytes 4088", "4089 to 8176"}},
      {"empty stream", [](auto& m) { m.files[4].stream_bytes = 0; }, {"stream bytes 0"}},
      {"2^64 - 1 stream bytes",
       [](auto& m) { m.files[4].stream_bytes = kMax; },
       {"file 14: stream bytes"}},
      {"blocks with a stream",
       [](auto& m) { m.files[0].stream_bytes = 1; },
       {"file 10: stream bytes 1"}},
      {"labels with a stream",
       [](auto& m) { m.files[6].stream_bytes = 1; },
       {"file 16: stream bytes 1"}},
  });
}

/// Of a file whose role a later version adds, only what keeps others safe is asked.
TEST(ManifestCheck, FilesOfUnknownRolesArePassedOver) {
  Manifest m = sample_manifest();
  FileRecord newer{};
  newer.number = m.header.next_file_number - 1;
  newer.segment = 77;
  newer.identity = 5;
  newer.role = 200;
  newer.reserved = 3;
  m.files.insert(m.files.begin() + 2, newer);
  auto decoded = decode_manifest(encode_manifest(m));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->files.size(), sample_manifest().files.size());
  ASSERT_EQ(decoded->foreign_files.size(), 1U);
  EXPECT_EQ(std::memcmp(&decoded->foreign_files[0], &newer, sizeof newer), 0);
  EXPECT_EQ(encode_manifest(*decoded).size(), encode_manifest(m).size());
  EXPECT_TRUE(decode_manifest(encode_manifest(*decoded)));
  const auto refused = [&](const auto& change, const char* word) {
    Manifest changed = m;
    change(changed.files[2]);
    const auto bad = decode_manifest(encode_manifest(changed));
    ASSERT_FALSE(bad) << word;
    expect_error(bad.error(), ErrorCode::corrupt, {word});
  };
  refused([&](FileRecord& file) { file.number = m.files[0].number; }, "two files of number");
  refused([&](FileRecord& file) { file.identity = m.files[0].identity; }, "two files of identity");
  refused([&](FileRecord& file) { file.number = m.header.next_file_number; }, "numbers below");
  refused([&](FileRecord& file) { file.role = 0; }, "role 0");
}

TEST(ManifestCheck, EachSegmentHasItsFiles) {
  const auto drop = [](std::size_t at) {
    return [at](Manifest& m) { m.files.erase(m.files.begin() + static_cast<std::ptrdiff_t>(at)); };
  };
  const auto twice = [](std::size_t at) {
    return [at](Manifest& m) {
      FileRecord file = m.files[at];
      file.number = 30;
      file.identity = 30;
      m.files.push_back(file);
    };
  };
  expect_each_refused({
      {"no codes", drop(2), {"segment 3: number of codes files 0"}},
      {"no entries", drop(9), {"segment 5: number of entries files 0"}},
      {"no labels", drop(10), {"segment 5: number of labels files 0"}},
      {"no refinement", drop(3), {"segment 3: number of refine files 0"}},
      {"no blocks", drop(7), {"segment 5 at slot 0: blocks file 20"}},
      {"two codes", twice(2), {"segment 3: number of codes files 2"}},
      {"two entries", twice(5), {"number of entries files 2"}},
      {"two labels", twice(6), {"number of labels files 2"}},
      {"refinement in layers of more bytes than said",
       twice(3),
       {"segment 3: bytes a slot of its refine files 8", "4"}},
      {"two navs", twice(4), {"number of nav files 2", "0 to 1"}},
      {"refinement of no bytes",
       [](auto& m) { m.segments[0].refine_bytes = 0; },
       {"segment 3: number of refine files 1"}},
  });
  Manifest m = sample_manifest();
  drop(4)(m);
  EXPECT_TRUE(check_manifest(m)) << "navigation is optional";
}

TEST(ManifestCheck, RefinementInLayers) {
  Manifest good = layered_manifest();
  ASSERT_TRUE(check_manifest(good)) << check_manifest(good).error().to_string();
  EXPECT_TRUE(decode_manifest(encode_manifest(good)));
  std::ranges::reverse(good.files);
  const auto layers = good.files_of(3, Role::refine);
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[0]->number, 13U) << "by number, whatever their order in the table";
  EXPECT_EQ(good.layer_bytes(*layers[0], 100), 1U);
  EXPECT_EQ(good.layer_bytes(*layers[1], 100), 3U);
  const auto layered = [](const std::function<void(Manifest&)>& change) {
    return [change](Manifest& m) {
      m = layered_manifest();
      change(m);
    };
  };
  expect_each_refused({
      {"without its bit",
       layered([](auto& m) { m.header.incompatible = 0; }),
       {"header: feature bit of refinement in layers 0", "1"}},
      {"the bit without layers",
       [](auto& m) { m.header.incompatible = kRefinementInLayers; },
       {"feature bit of refinement in layers 1", "0"}},
      {"other bytes in sum",
       layered([](auto& m) { m.segments[0].refine_bytes = 5; }),
       {"segment 3: bytes a slot of its refine files 4", "5"}},
      {"more layers than bytes",
       layered([](auto& m) { m.segments[0].refine_bytes = 1; }),
       {"segment 3: number of refine files 2", "expected 1"}},
      {"codes of part of the slots",
       layered([](auto& m) { --m.files.back().stream_bytes; }),
       {"file 30: stream of 16699 bytes"}},
      {"a layer of no bytes",
       layered([](auto& m) { m.files.back().stream_bytes = 16 + 1024 * 16; }),
       {"file 30: stream of 16400 bytes"}},
      {"a layer longer than the dimension",
       layered([](auto& m) { m.files.back().stream_bytes = 16 + 1024 * 16 + 1700; }),
       {"file 30: stream of 18100 bytes"}},
  });
}

TEST(ManifestCheck, Extents) {
  expect_each_refused({
      {"reserved",
       [](auto& m) { m.extents[0].reserved = 2; },
       {"extent of segment 3 at slot 0: reserved 2"}},
      {"not from 0", [](auto& m) { m.extents[0].first_slot = 20; }, {"first slot 20", "0"}},
      {"gap", [](auto& m) { m.extents[1].first_slot = 60; }, {"first slot 60", "expected 40"}},
      {"overlap", [](auto& m) { m.extents[1].first_slot = 20; }, {"first slot 20"}},
      {"empty", [](auto& m) { m.extents[0].slot_count = 0; }, {"slot count 0"}},
      {"part of a block",
       [](auto& m) { m.extents[0].slot_count = 39; },
       {"slot count 39", "a multiple of 20"}},
      {"more than the segment",
       [](auto& m) { m.extents[0].slot_count = 120; },
       {"slot count 120", "1 to 100"}},
      {"2^64 - 20 slots",
       [](auto& m) { m.extents[1].slot_count = kMax - 15; },
       {"slot count 1844", "1 to 60"}},
      {"less than the segment",
       [](auto& m) { m.extents[1].slot_count = 40; },
       {"segment 3: slots of its extents 80", "100"}},
      {"unknown file", [](auto& m) { m.extents[0].blocks_file = 19; }, {"blocks file 19"}},
      {"a file of codes", [](auto& m) { m.extents[0].blocks_file = 12; }, {"blocks file 12"}},
      {"blocks of another segment",
       [](auto& m) { m.extents[0].blocks_file = 20; },
       {"blocks file 20", "of its segment"}},
      {"beyond the file",
       [](auto& m) { m.extents[0].first_block = 3; },
       {"2 blocks from block 3", "within the file's 4"}},
      {"far beyond the file",
       [](auto& m) { m.extents[0].first_block = kMax; },
       {"2 blocks from block 1844"}},
      {"no extents", [](auto& m) { m.extents.erase(m.extents.begin() + 2); }, {"segment 5: "}},
      {"extent of no segment", [](auto& m) { m.extents[2].segment = 7; }, {"segment 5: "}},
      {"one too many",
       [](auto& m) {
         m.extents.push_back(m.extents[2]);
         m.extents[3].segment = 9;
       },
       {"extent of segment 9 at slot 0", "order of the segments"}},
      {"a block twice",
       [](auto& m) {
         m.extents[0].blocks_file = 10;
         m.extents[0].first_block = 1;
       },
       {"block 1", "blocks of no other extent"}},
  });
  expect_each_refused({{"count in the segment",
                        [](auto& m) { m.segments[0].extent_count = 3; },
                        {"segment 3: extents 3", "2"}}},
                      false);
}

TEST(ManifestCheck, ManyExtentsOfOneFileMayStandInAnyOrder) {
  Manifest m = sample_manifest();
  m.extents[1].first_block = 2;
  m.files[0].pages = 5;
  m.extents[0].blocks_file = 10;
  m.extents[0].first_block = 0;
  const Status status = check_manifest(m);
  EXPECT_TRUE(status) << status.error().to_string();
}

TEST(ManifestCheck, TheLargestSegmentPasses) {
  Manifest m = sample_manifest();
  constexpr std::uint64_t kSlots = (kTwo32 - 2) / 20 * 20;
  m.segments[1].slot_count = kSlots;
  m.segments[1].vector_count = kSlots;
  m.segments[1].edge_count = kSlots * kDegreeMax;
  m.extents[2].slot_count = kSlots;
  m.files[7].pages = 1 + kSlots / 20;
  const Status status = check_manifest(m);
  EXPECT_TRUE(status) << status.error().to_string();
}

}  // namespace
}  // namespace cairn::layout
