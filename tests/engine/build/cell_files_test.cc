#include "engine/build/cell_files.h"

#include <array>
#include <random>

#include "layout/leb128.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

bool operator==(const RankedEdge& a, const RankedEdge& b) {
  return a.target == b.target && a.distance == b.distance && a.rank == b.rank;
}

/// Edges in the order of their ranks, as prune leaves them: targets and distances of every size.
std::vector<RankedEdge> random_edges(std::size_t count, std::uint32_t targets,
                                     std::mt19937_64& random) {
  std::vector<RankedEdge> edges(count);
  for (RankedEdge& edge : edges)
    edge = {static_cast<std::uint32_t>(random() % targets), static_cast<std::uint16_t>(random()),
            static_cast<std::uint8_t>(random() % 3)};
  std::ranges::stable_sort(edges, {}, &RankedEdge::rank);
  return edges;
}

void expect_same(const std::vector<RankedEdge>& found, const std::vector<RankedEdge>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(found[i] == expected[i]) << i;
}

TEST(EdgeList, ReadsBackWhatWasWritten) {
  std::mt19937_64 random(1);
  for (const std::uint32_t targets : {1U, 300U, 70'000U, 0xffff'fff0U}) {
    std::vector<std::byte> bytes;
    std::vector<std::vector<RankedEdge>> lists;
    std::vector<std::uint32_t> places;
    for (const std::size_t count : {0U, 1U, 5U, 64U, 512U, 0U, 3U}) {
      lists.push_back(random_edges(count, targets, random));
      places.push_back(static_cast<std::uint32_t>(random() % targets));
      append_list(places.back(), lists.back(), bytes);
    }
    const std::byte* at = bytes.data();
    const std::byte* const end = at + bytes.size();
    std::vector<RankedEdge> edges;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      ASSERT_TRUE(take_list(at, end, places[i], targets, edges)) << i;
      expect_same(edges, lists[i]);
    }
    EXPECT_EQ(at, end);
    EXPECT_FALSE(take_list(at, end, 0, targets, edges)) << "nothing follows";
  }
}

TEST(EdgeList, IsRefusedWhereItWasCutOff) {
  std::mt19937_64 random(2);
  const auto list = random_edges(40, 70'000, random);
  std::vector<std::byte> bytes;
  append_list(500, list, bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> cut(bytes.begin(),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const std::byte* at = cut.data();
    std::vector<RankedEdge> edges;
    EXPECT_FALSE(take_list(at, cut.data() + cut.size(), 500, 70'000, edges)) << length;
  }
}

TEST(EdgeList, IsRefusedWhenATargetIsNotThere) {
  std::vector<std::byte> bytes;
  append_list(10, std::vector<RankedEdge>{{99, 1, 0}}, bytes);
  std::vector<RankedEdge> edges;
  const std::byte* at = bytes.data();
  EXPECT_TRUE(take_list(at, bytes.data() + bytes.size(), 10, 100, edges));
  at = bytes.data();
  EXPECT_FALSE(take_list(at, bytes.data() + bytes.size(), 10, 99, edges));
  at = bytes.data();
  EXPECT_TRUE(take_list(at, bytes.data() + bytes.size(), 0, 100, edges)) << "89";
  bytes.clear();
  append_list(10, std::vector<RankedEdge>{{2, 1, 0}}, bytes);
  at = bytes.data();
  EXPECT_FALSE(take_list(at, bytes.data() + bytes.size(), 0, 100, edges)) << "below 0";
}

/// Whatever the bytes are: no read beyond them (sanitizers see it), no target that is not there.
TEST(EdgeList, OfAnyBytesIsRefusedOrSound) {
  std::mt19937_64 random(3);
  std::uint64_t taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(random() % 40);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % (round % 2 ? 256 : 8));
    const std::byte* at = bytes.data();
    std::vector<RankedEdge> edges;
    if (!take_list(at, bytes.data() + bytes.size(), 7, 50, edges)) continue;
    ++taken;
    EXPECT_LE(at, bytes.data() + bytes.size());
    for (const RankedEdge& edge : edges) EXPECT_LT(edge.target, 50U);
  }
  EXPECT_GT(taken, 100U);
}

// Differences of 64 bits come from no writer, and added to a place they overflow.
TEST(EdgeList, IsRefusedWhereADifferenceIsTooLarge) {
  for (const int which : {0, 1}) {
    std::array<std::byte, 32> bytes{};
    std::byte* end = bytes.data();
    for (const std::uint64_t value :
         {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{0}, which == 0 ? ~std::uint64_t{1} : 0,
          which == 1 ? ~std::uint64_t{1} : 0})
      end = layout::put_leb(end, value);
    const std::byte* at = bytes.data();
    std::vector<RankedEdge> edges;
    EXPECT_FALSE(take_list(at, end, 500, 70'000, edges)) << which;
  }
}

TEST(Offer, ReadsBackAndIsRefusedWhereItWasCutOff) {
  std::mt19937_64 random(4);
  std::vector<std::byte> bytes;
  std::vector<std::vector<RankedEdge>> lists;
  for (const std::size_t count : {0U, 1U, 12U, 255U}) {
    lists.push_back(random_edges(count, 0xffff'ffffU, random));
    append_offer(static_cast<std::uint32_t>(1000 + count), lists.back(), bytes);
  }
  const std::byte* at = bytes.data();
  Offer offer;
  for (const auto& list : lists) {
    ASSERT_TRUE(take_offer(at, bytes.data() + bytes.size(), offer));
    EXPECT_EQ(offer.row, 1000 + list.size());
    expect_same(offer.edges, list);
  }
  EXPECT_EQ(at, bytes.data() + bytes.size());
  std::vector<std::byte> one;
  append_offer(5, lists[2], one);
  for (std::size_t length = 0; length < one.size(); ++length) {
    const std::vector<std::byte> cut(one.begin(),
                                     one.begin() + static_cast<std::ptrdiff_t>(length));
    at = cut.data();
    EXPECT_FALSE(take_offer(at, cut.data() + cut.size(), offer)) << length;
  }
}

TEST(LinkedCell, SurvivesTheJournal) {
  LinkedCell cell{.cores = 1,
                  .duplicates = 2,
                  .seconds = 3,
                  .list_bytes = 4,
                  .inbox_bytes = 5,
                  .entries = 6,
                  .block_bytes = 7,
                  .slots_per_block = 8,
                  .inbox = {}};
  for (std::uint64_t owner = 0; owner < 3; ++owner) {
    EXPECT_EQ(LinkedCell::from(cell.words()).words(), cell.words());
    EXPECT_EQ(LinkedCell::from(cell.words()).inbox.size(), owner);
    cell.inbox.push_back({owner, owner * 10, 9});
  }
  const LinkedCell back = LinkedCell::from(cell.words());
  EXPECT_EQ(back.slots(), 3U);
  EXPECT_EQ(back.slots_file_bytes(), 3 * 5 + 3 * 4U);
  EXPECT_EQ(back.inbox[2].at, 20U);
}

TEST(DistanceCode, KeepsTheOrder) {
  float before = 0;
  for (float distance = 1e-30F; distance < 1e30F; distance *= 1.01F) {
    EXPECT_LE(distance_code(before), distance_code(distance));
    before = distance;
  }
  EXPECT_LT(distance_code(1.0F), distance_code(1.02F));
}

}  // namespace
}  // namespace cairn::build
