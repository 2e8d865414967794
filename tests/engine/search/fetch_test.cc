// Stored vectors by label and in the order of disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "engine/build/builder_fs.h"
#include "engine/search/open_index.h"
#include "tests/engine/search/search_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::search::testing {
namespace {

/// Labels 0 and ~0 among others all over the range.
Label spread_label(std::uint64_t row, std::uint64_t count) {
  return row + 1 == count ? ~Label{0} : row * (~Label{0} / count);
}

TEST(Get, TakesTwoReadsBesideTheVectorsOwn) {
  constexpr std::uint64_t kRows = 180'000;  // labels of more than one inner page
  const Rows rows = build::random_rows(kRows, 2, DType::u8, 5);
  std::vector<Label> labels;
  for (std::uint64_t i = 0; i < kRows; ++i) labels.push_back(spread_label(i, kRows));
  sim::SimFs fs;
  BuildOptions options;
  options.calibration_rows = 0;
  options.degree = 8;
  options.code_bytes = 1;
  options.refine_bytes = 0;
  auto builder = must(build::create_builder(fs, "index", rows.dim, rows.dtype, options), "create");
  ASSERT_TRUE(ok(builder->add(rows.batch(), labels)));
  must(builder->finish(), "finish");
  const auto index = must(search::open_index(fs, "index", {}));
  std::vector<std::uint64_t> sample{0, kRows - 1};
  for (std::uint64_t i = 1; i < kRows; i += 997) sample.push_back(i);
  for (const std::uint64_t i : sample) {
    const std::uint64_t before = fs.reads();
    const auto vector = must(index->get(labels[i]));
    EXPECT_LE(fs.reads() - before, 3u);
    ASSERT_EQ(vector.size(), 2u);
    EXPECT_EQ(std::memcmp(vector.data(), rows.batch().row(i).data, 2), 0) << i;
    const std::uint64_t between = fs.reads();
    EXPECT_TRUE(fails_with(index->get(labels[i] ^ 1), ErrorCode::not_found)) << i;
    EXPECT_LE(fs.reads() - between, 2u);
  }
}

class Scan : public ::testing::TestWithParam<DType> {
 protected:
  // A prime number of rows: whatever fits a block, the last one is not full.
  const std::unique_ptr<BuiltIndex> built_ =
      build_index({.count = 1009, .dim = 7, .dtype = GetParam(), .degree = 12});
};

TEST_P(Scan, GivesEachVectorOnceWhateverTheRoom) {
  const auto index = open_index(*built_);
  ASSERT_GT(index->stats().slots_per_block, 1u);
  const std::size_t row_bytes = built_->row(0).bytes();
  std::map<Label, std::uint64_t> row_of;
  for (std::uint64_t i = 0; i < built_->spec.count; ++i) row_of[BuiltIndex::label_of(i)] = i;
  for (const std::size_t room : {1u, 2u, 13u, 1008u, 5000u}) {
    std::vector<std::byte> rows(room * row_bytes + row_bytes - 1);  // no room for another
    std::vector<Label> labels(room + 3);
    std::set<Label> seen;
    const auto scan = must(index->scan());
    for (std::size_t count = room; count == room;) {
      count = must(scan->next(rows, labels));
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_TRUE(seen.insert(labels[i]).second);
        ASSERT_TRUE(row_of.contains(labels[i]));
        const void* row = built_->row(row_of[labels[i]]).data;
        EXPECT_EQ(std::memcmp(rows.data() + i * row_bytes, row, row_bytes), 0);
      }
    }
    EXPECT_EQ(seen.size(), built_->spec.count) << room;
    EXPECT_EQ(must(scan->next(rows, labels)), 0u);
  }
}

TEST_P(Scan, NamesADamagedBlock) {
  const std::string blocks = file_of(built_->folder, "blocks");
  const auto index = open_index(*built_);
  flip_bit(blocks, 2 * index->stats().block_bytes + 1000);
  std::vector<std::byte> rows(built_->spec.count * built_->row(0).bytes());
  std::vector<Label> labels(built_->spec.count);
  const auto found = must(index->scan())->next(rows, labels);
  ASSERT_TRUE(fails_with(found, ErrorCode::corrupt));
  EXPECT_EQ(found.error().file, blocks);
  EXPECT_EQ(found.error().block, 2u);
}

INSTANTIATE_TEST_SUITE_P(Types, Scan, ::testing::Values(DType::u8, DType::f32));

}  // namespace
}  // namespace cairn::search::testing
