#include "layout/node_block.h"

#include "tests/layout/samples.h"

namespace cairn::layout {
namespace {

static_assert(kSlotsPerBlockMax == 64 && kDegreeMax == 512 && kNoSlot == 0xffff'ffffU);
static_assert(sizeof(BlockHeader) == 64 && offsetof(BlockHeader, occupied) == 8 &&
              offsetof(BlockHeader, first_slot) == 16 &&
              offsetof(BlockHeader, adjacency_bytes) == 20);

using Targets = std::vector<std::uint32_t>;
constexpr PageId kId{.identity = 1, .page = 2, .generation = 3};

Node node(std::uint32_t place, std::uint32_t row_bytes, const Targets& targets = {}) {
  return {.place = place,
          .vector = std::vector<std::byte>(row_bytes, static_cast<std::byte>(place + 1)),
          .label = 1000U + place,
          .inverse_norm = 0.5F * static_cast<float>(place + 1),
          .targets = targets};
}

Result<Targets> neighbors(const BlockView& view, std::uint32_t place, std::uint64_t slots) {
  std::uint32_t room[kDegreeMax];
  CAIRN_ASSIGN(const std::uint32_t degree, view.neighbors(place, slots, room));
  return Targets(room, room + degree);
}

TEST(NodeBlock, TheShapeIsArithmeticOverItsFields) {
  const BlockShape sift{.block_bytes = 4096, .slots = 13, .row_bytes = 128};
  EXPECT_TRUE(sift.valid());
  EXPECT_EQ(sift.labels_at(), 64U + 13 * 128);
  EXPECT_EQ(sift.norms_at(), sift.labels_at() + 104);
  EXPECT_EQ(sift.ends_at(), sift.norms_at());
  EXPECT_EQ(sift.adjacency_at(), sift.ends_at() + 26);
  EXPECT_EQ(sift.adjacency_capacity(), 4096 - sift.adjacency_at());
  const BlockShape cosine{.block_bytes = 4096, .slots = 3, .row_bytes = 101, .has_norms = true};
  EXPECT_EQ(cosine.labels_at(), 368U) << "labels stand at a multiple of 8";
  EXPECT_EQ(cosine.ends_at(), 368U + 24 + 12);
}

TEST(NodeBlock, OnlyShapesWhoseFixedPartFitsAreValid) {
  const auto valid = [](std::uint32_t bytes, std::uint32_t slots, std::uint32_t row) {
    return BlockShape{.block_bytes = bytes, .slots = slots, .row_bytes = row}.valid();
  };
  EXPECT_TRUE(valid(4096, 1, 1));
  EXPECT_TRUE(valid(4096, 64, 1));
  EXPECT_TRUE(valid(4096, 1, 4096 - 64 - 10 - 6));
  EXPECT_FALSE(valid(4096, 1, 4096 - 64 - 10 + 1));
  EXPECT_TRUE(valid(4096, 4, 998)) << "no room for adjacency is room for the fixed part";
  EXPECT_EQ((BlockShape{.block_bytes = 4096, .slots = 4, .row_bytes = 998}.adjacency_capacity()),
            0U);
  EXPECT_FALSE(valid(4096, 4, 999));
  EXPECT_TRUE(valid(1U << 20, 7, 131072));
  EXPECT_FALSE(valid(1U << 20, 8, 131072));
  EXPECT_FALSE(valid(0, 1, 1));
  EXPECT_FALSE(valid(2048, 1, 1));
  EXPECT_FALSE(valid(6000, 1, 1));
  EXPECT_FALSE(valid((1U << 20) + 4096, 1, 1));
  EXPECT_FALSE(valid(4096, 0, 1));
  EXPECT_FALSE(valid(4096, 65, 1));
  EXPECT_FALSE(valid(4096, 1, 0));
  EXPECT_FALSE(valid(4096, 1, 1U << 31));
  EXPECT_FALSE(valid(4096, 64, 0xffff'ffffU)) << "64 x row_bytes wraps in 32 bits";
  EXPECT_FALSE(valid(0xffff'f000U, 64, 0x0400'0000U)) << "64 x 2^26 is 0 in 32 bits";
}

TEST(NodeBlock, AdjacencyOfALargeBlockIsBoundedByItsEnds) {
  const BlockShape shape{.block_bytes = 1U << 20, .slots = 64, .row_bytes = 4};
  EXPECT_EQ(shape.adjacency_capacity(), 0xffffU);
}

TEST(NodeBlock, WhatWasPutComesBack) {
  const BlockShape shape{.block_bytes = 4096, .slots = 5, .row_bytes = 33, .has_norms = true};
  const std::vector<Node> nodes{node(0, 33, {7, 1001}), node(2, 33), node(3, 33, {0, 999'999})};
  const auto page = write_block(shape, 1000, nodes);
  const auto view = BlockView::open(shape, page, 1000);
  ASSERT_TRUE(view) << view.error().to_string();
  EXPECT_EQ(view->occupied_mask(), 0b01101U);
  EXPECT_TRUE(view->occupied(2));
  EXPECT_FALSE(view->occupied(1));
  for (const Node& one : nodes) {
    EXPECT_EQ(std::memcmp(view->vector(one.place), one.vector.data(), 33), 0);
    EXPECT_EQ(view->label(one.place), one.label);
    EXPECT_EQ(view->inverse_norm(one.place), one.inverse_norm);
    EXPECT_EQ(*neighbors(*view, one.place, 1'000'000), one.targets);
  }
  for (const std::uint32_t empty : {1U, 4U}) EXPECT_TRUE(neighbors(*view, empty, 1)->empty());
  EXPECT_EQ(view->adjacency_bytes_used(),
            adjacency_bytes(1000, nodes[0].targets) + adjacency_bytes(1003, nodes[2].targets));
}

TEST(NodeBlock, WithoutNormsEveryInverseNormIsOne) {
  const BlockShape shape{.block_bytes = 4096, .slots = 1, .row_bytes = 16};
  const auto page = write_block(shape, 0, std::vector{node(0, 16)});
  EXPECT_EQ(BlockView::open(shape, page, 0)->inverse_norm(0), 1.0F);
}

TEST(NodeBlock, AnEmptyBlockOpens) {
  const BlockShape shape{.block_bytes = 4096, .slots = 64, .row_bytes = 8};
  const auto page = write_block(shape, 64, {});
  const auto view = BlockView::open(shape, page, 64);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->occupied_mask(), 0U);
  EXPECT_EQ(view->adjacency_bytes_used(), 0U);
}

/// Nodes whose lists fill the block to its last byte, or as near as lists of this data can.
std::vector<Node> random_nodes(std::mt19937_64& random, const BlockShape& shape,
                               std::uint32_t first_slot, std::uint64_t slots) {
  std::vector<Node> nodes;
  std::size_t room = shape.adjacency_capacity();
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    if (random() % 8 == 0) continue;
    const std::uint32_t owner = first_slot + place;
    Node one{.place = place,
             .vector = random_bytes(random, shape.row_bytes),
             .label = random(),
             .inverse_norm = static_cast<float>(random() % 1000),
             .targets = random_targets(random, random() % 200, owner, slots)};
    while (adjacency_bytes(owner, one.targets) > room) one.targets.pop_back();
    room -= adjacency_bytes(owner, one.targets);
    nodes.push_back(std::move(one));
  }
  return nodes;
}

TEST(NodeBlock, RandomBlocksOfAnyShapeComeBack) {
  constexpr std::uint64_t kSeed = 21;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  int full = 0;
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    BlockShape shape{.block_bytes = 4096 * static_cast<std::uint32_t>(1 + random() % 4),
                     .slots = static_cast<std::uint32_t>(1 + random() % 64),
                     .row_bytes = static_cast<std::uint32_t>(1 + random() % 400),
                     .has_norms = random() % 2 == 0};
    if (!shape.valid()) continue;
    const std::uint64_t slots = shape.slots + random() % (kNoSlot - shape.slots);
    const auto first_slot = static_cast<std::uint32_t>(random() % (slots - shape.slots + 1));
    const auto nodes = random_nodes(random, shape, first_slot, slots);
    auto page = write_block(shape, first_slot, nodes);
    seal_page(page, kId);
    ASSERT_TRUE(check_page(page, kId));
    const auto view = BlockView::open(shape, page, first_slot);
    ASSERT_TRUE(view) << view.error().to_string();
    full += view->adjacency_bytes_used() == shape.adjacency_capacity() ? 1 : 0;
    std::uint64_t mask = 0;
    for (const Node& one : nodes) {
      mask |= std::uint64_t{1} << one.place;
      ASSERT_EQ(std::memcmp(view->vector(one.place), one.vector.data(), shape.row_bytes), 0);
      ASSERT_EQ(view->label(one.place), one.label);
      ASSERT_EQ(view->inverse_norm(one.place), shape.has_norms ? one.inverse_norm : 1.0F);
      const auto found = neighbors(*view, one.place, slots);
      ASSERT_TRUE(found) << found.error().to_string();
      ASSERT_EQ(*found, one.targets);
    }
    ASSERT_EQ(view->occupied_mask(), mask);
  }
  EXPECT_GT(full, 50) << "lists that end with the block must be among them";
}

TEST(NodeBlock, EveryFlippedBitOfASealedBlockIsCorrupt) {
  const BlockShape shape{.block_bytes = 4096, .slots = 13, .row_bytes = 128};
  std::mt19937_64 random(5);
  auto page = write_block(shape, 26, random_nodes(random, shape, 26, 1000));
  seal_page(page, kId);
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    const auto flip = static_cast<std::byte>(1U << (bit % 8));
    page[bit / 8] ^= flip;
    ASSERT_FALSE(check_page(page, kId)) << "bit " << bit;
    page[bit / 8] ^= flip;
  }
}

TEST(NodeBlock, OpenNamesWhatIsWrong) {
  const BlockShape shape{.block_bytes = 4096, .slots = 5, .row_bytes = 32};
  const auto good =
      write_block(shape, 10, std::vector{node(0, 32, {1, 2}), node(2, 32, {3}), node(4, 32)});
  const auto refused = [&](std::size_t at, auto value, const std::vector<std::string>& words) {
    auto page = good;
    store(page, at, value);
    const auto view = BlockView::open(shape, page, 10);
    ASSERT_FALSE(view) << testing::PrintToString(words);
    expect_error(view.error(), ErrorCode::corrupt, words);
  };
  const std::uint32_t ends = shape.ends_at();
  refused(16, std::uint32_t{15}, {"slot 10", "first slot 15", "expected 10"});
  refused(8, std::uint64_t{0b110101}, {"occupied place beyond the last", "5 places"});
  refused(8, ~std::uint64_t{0}, {"occupied place beyond the last"});
  refused(20, std::uint32_t{4}, {"last adjacency ends at 3", "expected 4"});
  refused(20, shape.adjacency_capacity() + 1, {"3823 bytes of adjacency", "at most 3822"});
  refused(20, std::uint32_t{1} << 31, {"2147483648 bytes of adjacency"});
  for (std::size_t word = 0; word < 5; ++word)
    refused(24 + 8 * word, std::uint64_t{1} << 40, {"reserved bytes in use"});
  refused(ends, std::uint16_t{4}, {"place 1 ends at 2", "at least 4"});
  refused(ends + 2, std::uint16_t{3}, {"place 1 ends at 3", "expected 2", "empty"});
  refused(ends + 8, std::uint16_t{0xffff}, {"last adjacency ends at 65535"});
  refused(ends + 8, std::uint16_t{0}, {"place 4 ends at 0", "at least 3"});
  refused(8, std::uint64_t{0b10001}, {"place 2 ends at 3", "empty"});
}

TEST(NodeBlock, OpenRefusesAPageOfAnotherSizeAndAnInvalidShape) {
  BlockShape shape{.block_bytes = 4096, .slots = 5, .row_bytes = 32};
  const auto page = write_block(shape, 0, {});
  EXPECT_FALSE(BlockView::open(shape, std::span(page).first(4095), 0));
  EXPECT_FALSE(BlockView::open(shape, {}, 0));
  shape.slots = 0;
  EXPECT_FALSE(BlockView::open(shape, page, 0));
  shape.slots = 65;
  EXPECT_FALSE(BlockView::open(shape, page, 0));
}

TEST(NodeBlock, ABadListIsCorruptAndNamesItsSlot) {
  const BlockShape shape{.block_bytes = 4096, .slots = 5, .row_bytes = 32};
  auto page = write_block(shape, 10, std::vector{node(0, 32, {1, 2}), node(1, 32, {3})});
  store(page, shape.adjacency_at() + 2, std::uint8_t{0x83});
  const auto view = BlockView::open(shape, page, 10);
  ASSERT_TRUE(view);
  EXPECT_EQ(*neighbors(*view, 0, 3), (Targets{1, 2}));
  const auto bad = neighbors(*view, 1, 100);
  ASSERT_FALSE(bad);
  expect_error(bad.error(), ErrorCode::corrupt, {"adjacency of slot 11", "unfinished"});
  const auto beyond = neighbors(*view, 0, 2);
  ASSERT_FALSE(beyond);
  expect_error(beyond.error(), ErrorCode::corrupt, {"slot 10", "beyond the last slot"});
}

TEST(NodeBlock, AListThatEndsWithTheBlockIsReadWithoutReadingOn) {
  // The block stands at the end of its allocation, so that a sanitizer sees a byte too many.
  for (std::uint32_t degree = 1; degree <= kDegreeMax; degree += 7) {
    Targets targets;
    for (std::uint32_t i = 0; i < degree; ++i) targets.push_back(i * 300);
    const auto bytes = static_cast<std::uint32_t>(adjacency_bytes(0, targets));
    const BlockShape shape{.block_bytes = 4096, .slots = 1, .row_bytes = 4096 - 64 - 10 - bytes};
    if (!shape.valid() || shape.adjacency_capacity() < bytes) continue;
    const auto page = write_block(shape, 0, std::vector{node(0, shape.row_bytes, targets)});
    const auto view = BlockView::open(shape, page, 0);
    ASSERT_TRUE(view) << view.error().to_string();
    ASSERT_EQ(*neighbors(*view, 0, 1'000'000), targets);
  }
}

TEST(NodeBlock, AnEndlessListAtTheEndOfALargeBlockIsRefused) {
  const BlockShape shape{.block_bytes = 65536, .slots = 1, .row_bytes = 4};
  std::vector<std::byte> page(shape.block_bytes);
  const std::uint32_t bytes = shape.adjacency_capacity();
  store(page, 8, std::uint64_t{1});
  store(page, 20, bytes);
  store(page, shape.ends_at(), static_cast<std::uint16_t>(bytes));
  const auto view = BlockView::open(shape, page, 0);
  ASSERT_TRUE(view) << view.error().to_string();
  const auto found = neighbors(*view, 0, 1'000'000);
  ASSERT_FALSE(found);
  expect_error(found.error(), ErrorCode::corrupt, {"slot 0", "512 edges"});
}

TEST(NodeBlock, WritingIsDeterministicAndZeroesWhatItDoesNotUse) {
  const BlockShape shape{.block_bytes = 4096, .slots = 3, .row_bytes = 10};
  const auto page = write_block(shape, 0, std::vector{node(1, 10, {9})});
  EXPECT_EQ(page, write_block(shape, 0, std::vector{node(1, 10, {9})}));
  EXPECT_TRUE(std::all_of(page.begin() + 64, page.begin() + 74,
                          [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_TRUE(std::all_of(page.begin() + shape.adjacency_at() + 1, page.end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

}  // namespace
}  // namespace cairn::layout
