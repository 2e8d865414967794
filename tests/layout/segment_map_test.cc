#include "layout/segment_map.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

SegmentRecord segment_of(std::uint64_t slot_count, std::uint32_t slots_per_block) {
  SegmentRecord segment{};
  segment.segment = 1;
  segment.slot_count = slot_count;
  segment.slots_per_block = slots_per_block;
  return segment;
}

ExtentRecord extent_of(std::uint64_t first_slot, std::uint64_t slot_count, std::uint64_t file,
                       std::uint64_t first_block) {
  ExtentRecord extent{};
  extent.segment = 1;
  extent.first_slot = first_slot;
  extent.slot_count = slot_count;
  extent.blocks_file = file;
  extent.first_block = first_block;
  return extent;
}

SegmentMap map_of(const Manifest& m, std::size_t segment) {
  return {m.segments[segment], m.extents_of(m.segments[segment].segment)};
}

TEST(SegmentMap, OneExtentIsArithmetic) {
  const SegmentMap map = map_of(sample_manifest(), 1);
  EXPECT_EQ(map.slot_count(), 60U);
  EXPECT_EQ(map.locate(0), (Place{20, 1, 0}));
  EXPECT_EQ(map.locate(19), (Place{20, 1, 19}));
  EXPECT_EQ(map.locate(20), (Place{20, 2, 0}));
  EXPECT_EQ(map.locate(59), (Place{20, 3, 19}));
}

TEST(SegmentMap, ManyExtentsMayStandInManyFiles) {
  const SegmentMap map = map_of(sample_manifest(), 0);
  EXPECT_EQ(map.locate(0), (Place{11, 2, 0}));
  EXPECT_EQ(map.locate(39), (Place{11, 3, 19}));
  EXPECT_EQ(map.locate(40), (Place{10, 0, 0}));
  EXPECT_EQ(map.locate(99), (Place{10, 2, 19}));
}

TEST(SegmentMap, ABlockOfNoExtentHasNoSlots) {
  const SegmentMap map = map_of(sample_manifest(), 0);
  EXPECT_EQ(map.first_slot_of(11, 2), 0U);
  EXPECT_EQ(map.first_slot_of(11, 3), 20U);
  EXPECT_EQ(map.first_slot_of(10, 0), 40U);
  EXPECT_EQ(map.first_slot_of(10, 2), 80U);
  const std::pair<std::uint64_t, std::uint64_t> others[] = {{11, 1}, {11, 4},     {10, 3},   {9, 0},
                                                            {12, 0}, {11, ~0ULL}, {~0ULL, 0}};
  for (const auto& [file, block] : others)
    EXPECT_EQ(map.first_slot_of(file, block), std::nullopt) << file << ", " << block;
}

TEST(SegmentMap, TheLastSlotsOfTheLargestSegment) {
  const SegmentRecord segment = segment_of(0xffff'fff8, 8);
  const std::vector<ExtentRecord> extents{extent_of(0, 0x8000'0000, 1, 0),
                                          extent_of(0x8000'0000, 0x7fff'fff8, 1, 0x1000'0005)};
  const SegmentMap map(segment, extents);
  EXPECT_EQ(map.locate(0x7fff'ffff), (Place{1, 0x0fff'ffff, 7}));
  EXPECT_EQ(map.locate(0x8000'0000), (Place{1, 0x1000'0005, 0}));
  EXPECT_EQ(map.locate(0xffff'fff7), (Place{1, 0x1000'0005 + 0x0fff'fffe, 7}));
  EXPECT_EQ(map.first_slot_of(1, 0x1000'0005 + 0x0fff'fffe), 0xffff'fff0U);
  EXPECT_EQ(map.first_slot_of(1, 0x1000'0005 + 0x0fff'ffff), std::nullopt);
  EXPECT_EQ(map.first_slot_of(1, 0x1000'0000), std::nullopt);
}

TEST(SegmentMap, LocateAndFirstSlotAreInverse) {
  constexpr std::uint64_t kSeed = 31;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    SegmentRecord segment = segment_of(0, static_cast<std::uint32_t>(1 + random() % 64));
    std::vector<ExtentRecord> extents;
    std::vector<std::uint64_t> next_block(3, random() % 5);
    for (std::uint64_t left = 1 + random() % 20; left > 0; --left) {
      const std::uint64_t blocks = 1 + random() % 9;
      const std::uint64_t file = random() % 3;
      extents.push_back(
          extent_of(segment.slot_count, blocks * segment.slots_per_block, file, next_block[file]));
      next_block[file] += blocks + random() % 3;
      segment.slot_count += extents.back().slot_count;
    }
    const SegmentMap map(segment, extents);
    for (std::uint64_t slot = 0; slot < segment.slot_count; ++slot) {
      const Place place = map.locate(slot);
      ASSERT_LT(place.place, segment.slots_per_block);
      const auto first = map.first_slot_of(place.file_number, place.block);
      ASSERT_TRUE(first) << "round " << round << " slot " << slot;
      ASSERT_EQ(*first + place.place, slot) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace cairn::layout
