#include "engine/build/entries.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

TEST(Entries, AreASampleInNonEmptyLists) {
  for (const std::uint64_t count : {1U, 2U, 64U, 65U, 2047U, 2048U, 20000U}) {
    SCOPED_TRACE(std::to_string(count) + " vectors");
    const Rows rows = random_rows(count, 6, DType::u8, count);
    std::vector<std::uint32_t> slots = iota_order(count);
    std::reverse(slots.begin(), slots.end());
    const layout::Entries entries = choose_entries(rows.batch(), slots, 1, kWorkers);
    const std::uint64_t expected = std::max(std::min<std::uint64_t>(count, 64), count / 32);
    EXPECT_EQ(entries.slots.size(), expected);
    EXPECT_EQ(std::set<std::uint32_t>(entries.slots.begin(), entries.slots.end()).size(), expected);
    ASSERT_EQ(entries.begins.size(), entries.heads.size() + 1);
    EXPECT_LE(entries.heads.size(), 256U);
    for (std::size_t l = 0; l < entries.heads.size(); ++l) {
      ASSERT_LT(entries.begins[l], entries.begins[l + 1]);
      const auto begin = entries.slots.begin() + entries.begins[l];
      const auto end = entries.slots.begin() + entries.begins[l + 1];
      EXPECT_NE(std::find(begin, end, entries.heads[l]), end) << "a head is one of its list";
    }
    const std::size_t bytes = layout::encode_entries(entries).size();
    EXPECT_LE(bytes, 2 * count + 600);
    EXPECT_TRUE(layout::decode_entries(layout::encode_entries(entries), count));
  }
}

TEST(Entries, SampleIsNearItsHead) {
  // Two far groups: no list may hold both.
  Rows rows = random_rows(4000, 4, DType::f32, 1);
  for (std::uint64_t i = 2000; i < 4000; ++i) {
    const float far = 100;
    std::memcpy(rows.row(i).data(), &far, sizeof far);
  }
  const layout::Entries entries = choose_entries(rows.batch(), iota_order(4000), 1, kWorkers);
  for (std::size_t l = 0; l < entries.heads.size(); ++l)
    for (std::uint32_t i = entries.begins[l]; i < entries.begins[l + 1]; ++i)
      EXPECT_EQ(entries.slots[i] < 2000, entries.heads[l] < 2000);
}

TEST(Entries, AreTheSameForAnyNumberOfThreads) {
  const Rows rows = random_rows(9000, 12, DType::f32, 2);
  const auto one = choose_entries(rows.batch(), iota_order(9000), 1, Workers(1));
  const auto four = choose_entries(rows.batch(), iota_order(9000), 1, Workers(4));
  EXPECT_EQ(layout::encode_entries(one), layout::encode_entries(four));
  EXPECT_NE(one.slots, choose_entries(rows.batch(), iota_order(9000), 2, kWorkers).slots);
}

}  // namespace
}  // namespace cairn::build
