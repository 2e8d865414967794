#include "engine/build/entries.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

/// Entries of all `rows`, row i in slots[i], in parts of `part` rows.
layout::Entries choose(const Rows& rows, std::span<const std::uint32_t> slots, std::uint64_t seed,
                       const Workers& workers, std::uint64_t part) {
  const EntrySamples samples = [&](const auto& visit) -> Status {
    for (std::uint64_t first = 0; first < rows.count(); first += part) {
      const std::uint64_t n = std::min(part, rows.count() - first);
      visit({{rows.batch().row(first).data, n, rows.dim, rows.dtype}, slots.subspan(first, n)});
    }
    return {};
  };
  return must(choose_entries(rows.count(), rows.dim, samples, seed, workers));
}

TEST(Entries, AreTheSampleInNonEmptyLists) {
  for (const std::uint64_t count : {1U, 2U, 64U, 65U, 2047U, 2048U, 20000U}) {
    SCOPED_TRACE(std::to_string(count) + " vectors");
    const Rows rows = random_rows(count, 6, DType::u8, count);
    std::vector<std::uint32_t> slots = iota_order(count);
    std::reverse(slots.begin(), slots.end());
    const layout::Entries entries = choose(rows, slots, 1, kWorkers, 777);
    EXPECT_EQ(entries.slots.size(), count);
    EXPECT_EQ(std::set<std::uint32_t>(entries.slots.begin(), entries.slots.end()).size(), count);
    ASSERT_EQ(entries.begins.size(), entries.heads.size() + 1);
    EXPECT_LE(entries.heads.size() * entries.heads.size(), count);
    for (std::size_t l = 0; l < entries.heads.size(); ++l) {
      ASSERT_LT(entries.begins[l], entries.begins[l + 1]);
      const auto begin = entries.slots.begin() + entries.begins[l];
      const auto end = entries.slots.begin() + entries.begins[l + 1];
      EXPECT_NE(std::find(begin, end, entries.heads[l]), end) << "a head is one of its list";
    }
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
  const layout::Entries entries = choose(rows, iota_order(4000), 1, kWorkers, 900);
  for (std::size_t l = 0; l < entries.heads.size(); ++l)
    for (std::uint32_t i = entries.begins[l]; i < entries.begins[l + 1]; ++i)
      EXPECT_EQ(entries.slots[i] < 2000, entries.heads[l] < 2000);
}

TEST(Entries, AreTheSameForAnyNumberOfThreadsAndParts) {
  const Rows rows = random_rows(9000, 12, DType::f32, 2);
  const auto slots = iota_order(9000);
  const auto one = layout::encode_entries(choose(rows, slots, 1, Workers(1), 9000));
  EXPECT_EQ(one, layout::encode_entries(choose(rows, slots, 1, Workers(4), 9000)));
  EXPECT_EQ(one, layout::encode_entries(choose(rows, slots, 1, Workers(4), 1001)));
  EXPECT_NE(one, layout::encode_entries(choose(rows, slots, 2, kWorkers, 9000)));
}

TEST(Entries, PassErrorsOfTheSampleOn) {
  const EntrySamples broken = [](const auto&) -> Status { return fail(ErrorCode::io, "no luck"); };
  const auto entries = choose_entries(10, 3, broken, 1, kWorkers);
  ASSERT_FALSE(entries);
  expect_error(entries.error(), ErrorCode::io, {"no luck"});
}

}  // namespace
}  // namespace cairn::build
