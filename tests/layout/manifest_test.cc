#include "layout/manifest.h"

#include "tests/layout/reseal.h"
#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

static_assert(kManifestVersion == 1 && kKnownIncompatible == 1);
static_assert(static_cast<int>(Role::blocks) == 1 && static_cast<int>(Role::codes) == 2 &&
              static_cast<int>(Role::refine) == 3 && static_cast<int>(Role::nav) == 4 &&
              static_cast<int>(Role::entries) == 5 && static_cast<int>(Role::labels) == 6 &&
              static_cast<int>(Role::calibration) == 7);
static_assert(sizeof(ManifestHeader) == 128 && sizeof(SegmentRecord) == 64 &&
              sizeof(ExtentRecord) == 48 && sizeof(FileRecord) == 64);
static_assert(offsetof(ManifestHeader, version) == 8 && offsetof(ManifestHeader, checksum) == 24 &&
              offsetof(ManifestHeader, incompatible) == 64 &&
              offsetof(ManifestHeader, kernel_path) == 112);
static_assert(offsetof(SegmentRecord, slots_per_block) == 40);
static_assert(offsetof(ExtentRecord, codebook_version) == 40);
static_assert(offsetof(FileRecord, page_bytes) == 56 && offsetof(FileRecord, role) == 60);

void expect_refused(std::span<const std::byte> bytes, ErrorCode code,
                    const std::vector<std::string>& words) {
  const auto decoded = decode_manifest(bytes);
  ASSERT_FALSE(decoded) << "expected: " << testing::PrintToString(words);
  expect_error(decoded.error(), code, words);
}

TEST(Manifest, DecodesToWhatWasEncoded) {
  const Manifest sample = sample_manifest();
  const auto bytes = encode_manifest(sample);
  EXPECT_EQ(bytes.size(), 128U + 2 * 64 + 3 * 48 + 11 * 64);
  const auto decoded = decode_manifest(bytes);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->header.magic, kManifestMagic);
  EXPECT_EQ(decoded->header.total_bytes, bytes.size());
  EXPECT_EQ(decoded->header.seed, 42U);
  EXPECT_EQ(decoded->segments.size(), 2U);
  EXPECT_EQ(decoded->segments[0].extent_count, 2U);
  EXPECT_EQ(decoded->extents[1].first_slot, 40U);
  EXPECT_EQ(decoded->files[4].stream_bytes, 716U);
  EXPECT_EQ(encode_manifest(*decoded), bytes);
}

TEST(Manifest, StartsWithItsMagicInReadableOrder) {
  const auto bytes = encode_manifest(sample_manifest());
  EXPECT_EQ(std::memcmp(bytes.data(),
                        "\x89"
                        "CAIRN01",
                        8),
            0);
}

TEST(Manifest, AnIndexWithoutSegmentsIsValid) {
  Manifest m = sample_manifest();
  m.segments.clear();
  m.extents.clear();
  m.files.clear();
  const auto bytes = encode_manifest(m);
  EXPECT_EQ(bytes.size(), 128U);
  EXPECT_TRUE(decode_manifest(bytes));
}

TEST(Manifest, FindsFilesAndExtentsOfASegment) {
  const Manifest m = sample_manifest();
  ASSERT_NE(m.find(5, Role::codes), nullptr);
  EXPECT_EQ(m.find(5, Role::codes)->number, 21U);
  EXPECT_EQ(m.find(5, Role::nav), nullptr);
  EXPECT_EQ(m.find(4, Role::codes), nullptr);
  EXPECT_EQ(m.extents_of(3).size(), 2U);
  EXPECT_EQ(m.extents_of(3)[1].first_slot, 40U);
  EXPECT_EQ(m.extents_of(5).size(), 1U);
  EXPECT_TRUE(m.extents_of(4).empty());
  EXPECT_TRUE(m.extents_of(6).empty());
}

TEST(Manifest, TheShapeOfABlockFollowsFromHeaderAndSegment) {
  Manifest m = sample_manifest();
  const BlockShape shape = m.block_shape(m.segments[0]);
  EXPECT_EQ(shape.block_bytes, 8192U);
  EXPECT_EQ(shape.slots, 20U);
  EXPECT_EQ(shape.row_bytes, 64U);
  EXPECT_TRUE(shape.has_norms);
  m.header.metric = static_cast<std::uint8_t>(Metric::ip);
  m.header.dtype = static_cast<std::uint8_t>(DType::i8);
  EXPECT_FALSE(m.block_shape(m.segments[0]).has_norms);
  EXPECT_EQ(m.block_shape(m.segments[0]).row_bytes, 16U);
}

TEST(Manifest, FilesAreNamedByNumberAndRole) {
  EXPECT_EQ(file_name(7, Role::codes), "000007.codes");
  EXPECT_EQ(file_name(0, Role::blocks), "000000.blocks");
  EXPECT_EQ(file_name(12345678, Role::labels), "12345678.labels");
  EXPECT_EQ(file_name(~std::uint64_t{0}, Role::nav), "18446744073709551615.nav");
  EXPECT_EQ(file_name(1, Role::refine), "000001.refine");
  EXPECT_EQ(file_name(1, Role::entries), "000001.entries");
}

TEST(Manifest, IdentityDependsOnIndexRoleAndNumber) {
  const std::uint64_t identity = file_identity(1, Role::blocks, 2);
  EXPECT_NE(identity, file_identity(2, Role::blocks, 2));
  EXPECT_NE(identity, file_identity(1, Role::codes, 2));
  EXPECT_NE(identity, file_identity(1, Role::blocks, 3));
  EXPECT_NE(identity, file_identity(2, Role::blocks, 1));
  EXPECT_EQ(identity, 14095053057551656690ULL) << "it is on disk: it may not change";
}

TEST(Manifest, AnyFlippedBitIsAnError) {
  auto bytes = encode_manifest(sample_manifest());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto flip = static_cast<std::byte>(1U << (bit % 8));
    bytes[bit / 8] ^= flip;
    const auto decoded = decode_manifest(bytes);
    ASSERT_FALSE(decoded) << "bit " << bit;
    EXPECT_EQ(decoded.error().code, ErrorCode::corrupt)
        << "bit " << bit << ": " << decoded.error().to_string();
    bytes[bit / 8] ^= flip;
  }
  EXPECT_TRUE(decode_manifest(bytes));
}

TEST(Manifest, EveryLengthButTheWholeIsAnError) {
  auto bytes = encode_manifest(sample_manifest());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    ASSERT_FALSE(decode_manifest(std::span(bytes).first(length))) << length;
  bytes.push_back(std::byte{0});
  expect_refused(bytes, ErrorCode::corrupt, {std::to_string(bytes.size()) + " bytes"});
}

TEST(Manifest, AFileThatIsNoManifestIsNamedByItsMagic) {
  std::vector<std::byte> bytes(4096);
  expect_refused(bytes, ErrorCode::corrupt, {"magic", "0000000000000000"});
  std::vector<std::byte> huge(kManifestBytesMax + 1);
  expect_refused(huge, ErrorCode::corrupt, {"67108865 bytes", "67108864"});
}

TEST(Manifest, ANewerVersionIsUnsupportedWhateverElseItHolds) {
  auto bytes = encode_manifest(sample_manifest());
  store(bytes, 8, std::uint32_t{2});
  // Whole but for that field: no newer file, but damage.
  expect_refused(bytes, ErrorCode::corrupt, {"version 2", "1, as its checksum says"});
  store(bytes, 16, std::uint64_t{0x1234});
  expect_refused(bytes, ErrorCode::unsupported, {"version 2", "at most 1"});
  bytes.resize(500, std::byte{0xff});
  store(bytes, 12, std::uint32_t{999});
  expect_refused(bytes, ErrorCode::unsupported, {"version 2", "at most 1"});
  store(bytes, 8, std::uint32_t{0});
  expect_refused(bytes, ErrorCode::corrupt, {"version 0"});
}

TEST(Manifest, FeatureBitsDecideWhoMayRead) {
  Manifest m = sample_manifest();
  m.header.compatible = ~kCompatibleCalibration;
  m.header.readable = std::uint64_t{1} << 63;
  EXPECT_TRUE(decode_manifest(encode_manifest(m)));
  for (int bit = 1; bit < 64; ++bit) {
    m.header.incompatible = std::uint64_t{1} << bit;
    const auto bytes = encode_manifest(m);
    char found[32];
    std::snprintf(found, sizeof found, "%016llx", 1ULL << bit);
    expect_refused(bytes, ErrorCode::unsupported, {"incompatible", found, "0000000000000001"});
  }
}

TEST(Manifest, HeaderFieldsThatDescribeTheFileAreChecked) {
  const auto good = encode_manifest(sample_manifest());
  const auto with = [&](std::size_t at, auto value) {
    auto bytes = good;
    store(bytes, at, value);
    reseal_manifest(bytes);
    return bytes;
  };
  expect_refused(with(12, std::uint32_t{120}), ErrorCode::corrupt, {"120 header bytes", "128"});
  expect_refused(with(16, std::uint64_t{1} << 32), ErrorCode::corrupt, {"4294967296"});
  for (const std::uint32_t count : {3U, 1U << 31, 0xffff'ffffU})
    for (const std::size_t at : {96U, 100U, 104U}) {
      const std::uint32_t was = at == 96 ? 2 : at == 100 ? 3 : 11;
      if (count != was) expect_refused(with(at, count), ErrorCode::corrupt, {"decode manifest"});
    }
  expect_refused(with(104, std::uint32_t{10}), ErrorCode::corrupt, {"64 bytes after the last"});
  expect_refused(with(104, std::uint32_t{0xffff'ffffU}), ErrorCode::corrupt,
                 {"4294967295 x 64 bytes"});
}

TEST(Manifest, RandomBytesBehindARightChecksumNeverDecodeToAnInvalidManifest) {
  constexpr std::uint64_t kSeed = 20240611;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  const auto good = encode_manifest(sample_manifest());
  int accepted = 0;
  for (int round = 0; round < 25'000; ++round) {
    auto bytes = good;
    for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = 32 + random() % (bytes.size() - 32);
      bytes[at] = static_cast<std::byte>(random() % 4 == 0 ? 0 : random());
    }
    reseal_manifest(bytes);
    const auto decoded = decode_manifest(bytes);
    if (!decoded) continue;
    ++accepted;
    const auto encoded = encode_manifest(*decoded);
    ASSERT_TRUE(decode_manifest(encoded)) << "round " << round;
    // Files of roles that nobody knows are kept, at the end of the table.
    if (decoded->foreign_files.empty()) {
      ASSERT_EQ(encoded, bytes) << "round " << round;
    }
  }
  EXPECT_GT(accepted, 250) << "free fields (seed, digest, generation) accept any value";
}

}  // namespace
}  // namespace cairn::layout
