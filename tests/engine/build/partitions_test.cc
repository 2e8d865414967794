// Whole builds in partitions: what is in the index, that it is one graph, and that nothing of it
// depends on threads.
#include <cairn/builder.h>
#include <cairn/index.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

#include "engine/build/budget.h"
#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

BuildOptions options_of(Metric metric, std::uint32_t partitions) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.metric = metric;
  options.degree = 24;
  options.code_bytes = 4;
  options.refine_bytes = 4;
  options.threads = 2;
  options.partitions = partitions;
  return options;
}

BuildReport build_from(const std::string& folder, const Rows& rows, const BuildOptions& options,
                       std::span<const Label> labels = {}) {
  RowsSource source(rows, labels);
  return must(cairn::build_index(folder, source, options));
}

/// No zero vectors, which cosine refuses.
void avoid_zeros(Rows& rows) {
  for (std::uint64_t i = 0; i < rows.count(); ++i)
    rows.row(i)[dtype_bytes(rows.dtype) - 1] |= std::byte{1};
}

std::vector<Label> some_labels(std::uint64_t count) {
  std::vector<Label> labels(count);
  for (std::uint64_t i = 0; i < count; ++i) labels[i] = i * 2654435761U;
  return labels;
}

/// Everything that an index must be, whatever was built.
void expect_sound(const std::string& folder, const Rows& rows, std::span<const Label> labels,
                  const BuildReport& report) {
  const StoredIndex index = read_index(folder);
  expect_whole(index, rows, labels);
  EXPECT_EQ(report.vectors, rows.count());
  const auto& segment = index.manifest.segments.front();
  EXPECT_EQ(report.edges, segment.edge_count);
  // Extents: one a partition that has vectors, block after block.
  EXPECT_LE(index.manifest.extents.size(), report.partitions);
  std::uint64_t slot = 0;
  for (const auto& extent : index.manifest.extents) {
    EXPECT_EQ(extent.first_slot, slot);
    EXPECT_EQ(extent.first_block * segment.slots_per_block, slot);
    EXPECT_GT(extent.slot_count, 0U);
    slot += extent.slot_count;
  }
  EXPECT_EQ(slot, segment.slot_count);
  // Entry points: about one of 32, each of them once, all of vectors.
  std::set<std::uint32_t> entries(index.entries.slots.begin(), index.entries.slots.end());
  EXPECT_EQ(entries.size(), index.entries.slots.size());
  for (const std::uint32_t entry : entries) EXPECT_TRUE(index.occupied[entry]);
  EXPECT_LE(entries.size(), std::max<std::uint64_t>(64, rows.count() / 32) + report.partitions);

  const auto opened = must(Index::open(folder));
  const VerifyReport verified = must(opened->verify());
  for (const Error& problem : verified.problems) ADD_FAILURE() << problem.to_string();
  EXPECT_EQ(verified.vectors, rows.count());
  EXPECT_EQ(verified.unreachable, 0U);
}

struct Kind {
  DType dtype;
  Metric metric;
};
class Partitions : public ::testing::TestWithParam<Kind> {};

TEST_P(Partitions, MakeOneIndex) {
  const ScratchDir dir;
  const auto [dtype, metric] = GetParam();
  for (const std::uint32_t partitions : {2U, 5U, 16U}) {
    SCOPED_TRACE(std::to_string(partitions) + " partitions");
    Rows rows = random_rows(3000, 12, dtype, partitions);
    avoid_zeros(rows);
    for (std::uint64_t to = 0; to < 3000; to += 7) copy_row(rows, to % 90, to);
    const auto labels = some_labels(3000);
    const std::string folder = dir.file(std::to_string(partitions));
    const BuildReport report = build_from(folder, rows, options_of(metric, partitions), labels);
    EXPECT_GE(report.partitions, partitions / 2);
    EXPECT_GT(report.duplicates, 300U);
    EXPECT_GE(report.copies, 1);
    EXPECT_LE(report.copies, 2);
    expect_sound(folder, rows, labels, report);
    EXPECT_EQ(read_index(folder).manifest.extents.size(), report.partitions);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Partitions,
                         ::testing::Values(Kind{DType::u8, Metric::l2}, Kind{DType::i8, Metric::l2},
                                           Kind{DType::f32, Metric::l2},
                                           Kind{DType::u8, Metric::cosine},
                                           Kind{DType::i8, Metric::ip},
                                           Kind{DType::f32, Metric::ip},
                                           Kind{DType::f32, Metric::cosine}));

TEST(PartitionsOf, AnyNumberOfThreadsGiveTheSameBytes) {
  const ScratchDir dir;
  Rows rows{io::random_bytes(5000 * 10, 3), 10, DType::u8};  // even: many near borders
  for (std::uint64_t to = 0; to < 5000; to += 5) copy_row(rows, to * 3 % 500, to);
  const auto labels = some_labels(5000);
  std::map<std::string, std::vector<std::byte>> one;
  for (const std::uint32_t threads : {1U, 2U, 5U}) {
    BuildOptions options = options_of(Metric::l2, 6);
    options.threads = threads;
    const std::string folder = dir.file(std::to_string(threads));
    const BuildReport report = build_from(folder, rows, options, labels);
    EXPECT_GT(report.copies, 1.3);
    if (one.empty()) one = read_files(folder);
    EXPECT_TRUE(read_files(folder) == one) << threads << " threads";
  }
  expect_whole(read_index(dir.file("1")), rows, labels);
}

TEST(PartitionsOf, SkewedAndDegenerateSetsAreOneIndex) {
  const ScratchDir dir;
  int number = 0;
  const auto build = [&](const Rows& rows, Metric metric) {
    SCOPED_TRACE("set " + std::to_string(number));
    for (const std::uint32_t partitions : {2U, 7U}) {
      const std::string folder = dir.file(std::to_string(number++));
      const BuildReport report = build_from(folder, rows, options_of(metric, partitions));
      expect_sound(folder, rows, {}, report);
    }
  };
  // Most vectors in one clump.
  Rows clump = random_rows(2000, 6, DType::f32, 1);
  for (std::uint64_t i = 0; i < 1700; ++i)
    for (std::uint32_t d = 0; d < 6; ++d) {
      float value;
      std::memcpy(&value, clump.row(i).data() + d * 4, 4);
      value = 0.4F + value * 1e-3F;
      std::memcpy(clump.row(i).data() + d * 4, &value, 4);
    }
  build(clump, Metric::l2);
  build(clump, Metric::ip);
  // Some far from all others, and from each other.
  Rows far = random_rows(1500, 4, DType::f32, 2);
  for (std::uint64_t i = 0; i < 5; ++i) {
    const float value = 1e4F * static_cast<float>(i + 1);
    std::memcpy(far.row(i * 300).data() + (i % 4) * 4, &value, 4);
  }
  build(far, Metric::l2);
  build(far, Metric::ip);
  // Nine tenths equal.
  Rows equal = random_rows(2000, 5, DType::u8, 3);
  for (std::uint64_t i = 0; i < 2000; ++i)
    if (i % 10 != 0) copy_row(equal, 1, i);
  build(equal, Metric::l2);
  for (std::uint64_t i = 0; i < 2000; ++i) copy_row(equal, 1, i);
  build(equal, Metric::l2);
  avoid_zeros(equal);
  build(equal, Metric::cosine);
  for (const std::uint64_t count : {1U, 2U, 3U, 9U, 70U}) {
    build(random_rows(count, 3, DType::u8, count), Metric::l2);
    build(random_rows(count, 3, DType::f32, count), Metric::ip);
  }
  build(random_rows(1000, 1, DType::u8, 9), Metric::l2);
}

// One outlying partition that is linked first must not choose the blocks of all others.
TEST(PartitionsOf, ASmallFirstOneDoesNotCrampTheBlocks) {
  const ScratchDir dir;
  Rows rows{std::vector<std::byte>(4000 * 16 * 4), 16, DType::f32};
  std::mt19937_64 random(4);
  std::normal_distribution<float> normal;
  for (std::uint64_t i = 0; i < 4000; ++i)
    for (std::uint32_t d = 0; d < 16; ++d) {
      const float value = normal(random) + (i < 3 ? 1000.0F : 0.0F);
      std::memcpy(rows.row(i).data() + d * 4, &value, 4);
    }
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    BuildOptions options = options_of(Metric::l2, 4);
    options.seed = seed;
    const std::string folder = dir.file(std::to_string(seed));
    const BuildReport report = build_from(folder, rows, options);
    EXPECT_LT(report.dropped_edges, report.edges / 10) << "seed " << seed;
  }
}

TEST(PartitionsOf, DuplicatesAreOneChain) {
  const ScratchDir dir;
  Rows rows{io::random_bytes(900 * 6, 3), 6, DType::u8};
  std::map<std::string, std::set<std::uint64_t>> equal;
  for (std::uint64_t to = 0; to < 900; ++to)
    if (to % 3 == 1) copy_row(rows, to % 40, to);
  for (std::uint64_t i = 0; i < 900; ++i) {
    const auto* row = reinterpret_cast<const char*>(rows.row(i).data());
    equal[std::string(row, rows.row(i).size())].insert(i);
  }
  build_from(dir.file("index"), rows, options_of(Metric::l2, 4));
  const StoredIndex index = read_index(dir.file("index"));
  std::uint64_t chains = 0;
  for (const auto& [value, group] : equal) {
    const std::uint32_t head = index.slot_of_label.at(*group.begin());
    std::uint32_t slot = head;
    for (const std::uint64_t row : group) {
      ASSERT_EQ(index.slot_of_label.at(row), slot) << "in order of rows, the first of all first";
      const auto& list = index.nav[slot];
      const bool more = slot - head + 1 < group.size();
      if (more) {
        EXPECT_EQ(list.front(), slot + 1);
      }
      if (slot != head) {
        EXPECT_EQ(list[more ? 1 : 0], head);
      }
      ++slot;
    }
    chains += group.size() > 1 ? 1U : 0U;
  }
  EXPECT_GT(chains, 10U);
}

TEST(PartitionsOf, LabelsOfTwoRowsAreNamedAcrossUnits) {
  const ScratchDir dir;
  constexpr std::uint64_t kRows = 40'000;  // three units, at the memory below
  const Rows rows = random_rows(kRows, 2, DType::u8, 1);
  auto labels = some_labels(kRows);
  labels[39'000] = labels[100];
  RowsSource source(rows, labels);
  BuildOptions options = options_of(Metric::l2, 2);
  options.degree = 8;
  options.memory_bytes = must(make_budget({Metric::l2, DType::u8, 2, 0}, kRows,
                                          {.degree = 8, .memory_bytes = ~std::uint64_t{0} >> 2}))
                             .memory_min_bytes;
  const auto report = cairn::build_index(dir.file("index"), source, options);
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::invalid_argument,
               {"label " + std::to_string(labels[100]), "row 100 and row 39000"});
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
}

/// Share of the ten nearest that a search of `list` finds.
double recall(const std::string& folder, const Rows& rows, const Rows& queries,
              std::uint32_t list) {
  const auto index = must(Index::open(folder));
  const math::PairKernel l2 = math::l2_kernel(rows.dtype);
  double hits = 0;
  for (std::uint64_t q = 0; q < queries.count(); ++q) {
    const VectorView query = queries.batch().row(q);
    std::vector<std::pair<float, Label>> all;
    for (std::uint64_t i = 0; i < rows.count(); ++i)
      all.emplace_back(l2(query.data, rows.batch().row(i).data, rows.dim), i);
    std::partial_sort(all.begin(), all.begin() + 10, all.end());
    const auto found = must(index->search({.query = query, .k = 10, .list_size = list}));
    for (const Neighbor& neighbor : found.neighbors)
      hits += neighbor.distance <= all[9].first ? 1 : 0;
  }
  return hits / (10 * static_cast<double>(queries.count()));
}

TEST(PartitionsOf, VectorsAreFoundAsInOne) {
  const ScratchDir dir;
  // Queries are of the same clusters: every tenth row is left out for them.
  Rows all = random_rows(7000, 24, DType::u8, 5);
  Rows rows{{}, 24, DType::u8}, queries{{}, 24, DType::u8};
  for (std::uint64_t i = 0; i < 7000; ++i) {
    auto& to = i % 10 == 0 && queries.count() < 200 ? queries.bytes : rows.bytes;
    to.insert(to.end(), all.row(i).begin(), all.row(i).end());
  }
  BuildOptions options = options_of(Metric::l2, 1);
  options.code_bytes = 12;
  options.refine_bytes = 12;
  build_from(dir.file("one"), rows, options);
  const double one = recall(dir.file("one"), rows, queries, 30);
  EXPECT_GT(one, 0.9);
  // No build of its own accord makes partitions as small as the last.
  for (const auto& [partitions, less] : {std::pair{5U, 0.03}, std::pair{16U, 0.06}}) {
    options.partitions = partitions;
    const std::string folder = dir.file(std::to_string(partitions));
    build_from(folder, rows, options);
    EXPECT_GT(recall(folder, rows, queries, 30), one - less) << partitions << " partitions";
  }
}

// ---- memory

BuildOptions with_memory(std::uint64_t bytes) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.memory_bytes = bytes;
  return options;
}

TEST(Budget, BelowTheSmallestIsOverLimitAndNamesIt) {
  const Space space{Metric::l2, DType::u8, 128, 0};
  for (const std::uint64_t count : {1'000U, 1'000'000U, 1'000'000'000U}) {
    const auto none = make_budget(space, count, with_memory(1));
    ASSERT_FALSE(none);
    const std::string expected = none.error().expected;
    expect_error(none.error(), ErrorCode::over_limit, {"at least "});
    EXPECT_TRUE(expected.ends_with(" MiB")) << expected;
    const std::uint64_t named = std::stoull(expected.substr(std::string("at least ").size())) << 20;
    const std::uint64_t least =
        must(make_budget(space, count, with_memory(named))).memory_min_bytes;
    EXPECT_GT(least + (1 << 20), named) << "rounded up";
    EXPECT_TRUE(make_budget(space, count, with_memory(least)));
    EXPECT_FALSE(make_budget(space, count, with_memory(least - 1)));
  }
}

TEST(Budget, LessMemoryMakesMorePartitions) {
  const Space space{Metric::l2, DType::u8, 128, 0};
  constexpr std::uint64_t kCount = 20'000'000;
  std::uint32_t partitions = 0;
  std::uint64_t members = ~std::uint64_t{0};
  for (std::uint64_t memory = std::uint64_t{64} << 30; memory >= std::uint64_t{256} << 20;
       memory /= 2) {
    const Budget budget = must(make_budget(space, kCount, with_memory(memory)));
    EXPECT_GE(budget.partitions, partitions) << memory;
    EXPECT_LT(budget.members_max, members) << memory;
    EXPECT_LE(budget.peak_min_bytes, memory);
    EXPECT_LE(budget.fixed_bytes + budget.members_max * member_bytes(space, 64), memory);
    EXPECT_EQ(budget.scatter_rows % 16'384, 0U);
    EXPECT_GT(budget.scatter_rows, 0U);
    partitions = budget.partitions;
    members = budget.members_max;
  }
  EXPECT_GT(partitions, 50U);
}

TEST(Budget, CutsALongBuildIntoUnitsUnlessToldNotTo) {
  const Space space{Metric::l2, DType::u8, 128, 0};
  BuildOptions options = with_memory(std::uint64_t{64} << 30);
  EXPECT_EQ(must(make_budget(space, 100'000, options)).partitions, 1U);
  EXPECT_GT(must(make_budget(space, 20'000'000, options)).partitions, 10U);
  options.partitions = 1;
  EXPECT_EQ(must(make_budget(space, 20'000'000, options)).partitions, 1U);
}

TEST(Budget, TakesAsManyPartitionsAsAreAskedFor) {
  const Space space{Metric::l2, DType::u8, 16, 0};
  BuildOptions options = with_memory(std::uint64_t{1} << 30);
  options.partitions = 77;
  EXPECT_EQ(must(make_budget(space, 10'000, options)).partitions, 77U);
}

TEST(Budget, OfABuildThatIsTooSmallLeavesNothing) {
  const ScratchDir dir;
  RowsSource source(random_rows(1000, 8, DType::u8, 1));
  const auto report = cairn::build_index(dir.file("index"), source, with_memory(1 << 20));
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::over_limit, {"1 MiB", "at least "});
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
}

}  // namespace
}  // namespace cairn::build
