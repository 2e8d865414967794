#include "engine/build/scatter.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "engine/build/growing_bytes.h"
#include "engine/build/members.h"
#include "tests/engine/build/test_job.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

// More than one unit, and the last not full.
constexpr std::uint64_t kAll = 1'000'000;  // members, more than there are
constexpr std::uint64_t kRows = 2 * kUnitRows + 1000;

struct Kind {
  DType dtype;
  Metric metric;
};

BuildOptions options_of(Metric metric, std::uint32_t threads = 2) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.metric = metric;
  options.threads = threads;
  return options;
}

/// Rows without zero vectors, many of them equal, equal ones in different units.
Rows some_rows(DType dtype, std::uint32_t dim = 4, std::uint64_t seed = 1) {
  Rows rows = random_rows(kRows, dim, dtype, seed);
  for (std::uint64_t i = 0; i < kRows; ++i) rows.row(i)[dtype_bytes(dtype) - 1] |= std::byte{1};
  for (std::uint64_t to = 0; to < kRows; to += 11) copy_row(rows, to * 7 % 500, to);
  return rows;
}

std::vector<Label> labels_of(std::uint64_t count) {
  std::vector<Label> labels(count);
  for (std::uint64_t i = 0; i < count; ++i) labels[i] = (i * 2654435761U) << 8 | 5;
  return labels;
}

/// All rows in the build space.
Rows mapped(const Space& space, const Rows& rows) {
  Rows result{std::vector<std::byte>(rows.count() * space.row_bytes()), space.row_dim(),
              space.row_dtype()};
  space.map(rows.batch(), result.bytes.data());
  return result;
}

std::vector<Home> homes_of(const Cells& cells, const VectorBatch& rows) {
  std::vector<Home> homes(rows.count);
  Cells::Scratch scratch;
  cells.assign(rows, homes, scratch);
  return homes;
}

class Scatter : public ::testing::TestWithParam<Kind> {};

TEST_P(Scatter, BringsEveryRowHome) {
  const auto [dtype, metric] = GetParam();
  for (const bool labelled : {false, true})
    for (const std::uint32_t partitions : {1U, 3U, 20U}) {
      SCOPED_TRACE(std::to_string(partitions) + " cells, labels " + std::to_string(labelled));
      sim::SimFs fs;
      Rows rows = some_rows(dtype);
      const auto labels = labelled ? labels_of(kRows) : std::vector<Label>{};
      TestJob test(fs, "work", rows, options_of(metric), labels);
      test.partition(partitions);
      const Scattered& scattered = test.scattered();
      ASSERT_EQ(scattered.units(), 3U);
      const Rows space = mapped(test.job().space, rows);
      const auto homes = homes_of(test.cells(), rows.batch());
      std::vector<std::uint32_t> cores(kRows), seconds(kRows);
      for (std::uint32_t cell = 0; cell < scattered.cells(); ++cell)
        for (const Copy copy : {Copy::core, Copy::second}) {
          std::uint64_t count = 0;
          std::int64_t last = -1;
          ASSERT_TRUE(ok(scattered.read(copy, cell, [&](std::span<const std::byte> records) {
            const RecordShape& shape = scattered.shape();
            for (; !records.empty(); records = records.subspan(shape.bytes(copy)), ++count) {
              const std::uint32_t row = RecordShape::row(records.data());
              ASSERT_LT(row, kRows);
              ASSERT_GT(row, last) << "ascending";
              last = row;
              const Home& home = homes[row];
              ASSERT_EQ(cell, copy == Copy::core ? home.first : home.second);
              ASSERT_EQ(RecordShape::other(records.data()),
                        copy == Copy::core ? home.second : home.first);
              ++(copy == Copy::core ? cores : seconds)[row];
              ASSERT_EQ(std::memcmp(shape.vector(copy, records.data()), rows.row(row).data(),
                                    rows.row(row).size()),
                        0);
              if (copy == Copy::core) {
                ASSERT_EQ(shape.label(records.data()), labelled ? labels[row] : row);
              }
            }
          })));
          EXPECT_EQ(scattered.count(copy, cell), count);
        }
      std::uint64_t copies = 0;
      for (std::uint64_t i = 0; i < kRows; ++i) {
        ASSERT_EQ(cores[i], 1U) << i;
        ASSERT_EQ(seconds[i], homes[i].second == kNoCell ? 0U : 1U) << i;
        copies += seconds[i];
      }
      EXPECT_EQ(copies > 0, partitions > 1);
    }
}

TEST_P(Scatter, MembersAreTheDistinctOnes) {
  const auto [dtype, metric] = GetParam();
  sim::SimFs fs;
  Rows rows = some_rows(dtype);
  TestJob test(fs, "work", rows, options_of(metric));
  test.partition(5);
  Rows space = mapped(test.job().space, rows);
  const auto homes = homes_of(test.cells(), rows.batch());
  const auto value_of = [&](std::uint64_t i) {
    return std::string(reinterpret_cast<const char*>(space.row(i).data()), space.row(i).size());
  };
  std::map<std::string, std::uint32_t> first;
  for (std::uint32_t i = 0; i < kRows; ++i) first.emplace(value_of(i), i);
  std::set<std::uint32_t> seen;
  for (std::uint32_t cell = 0; cell < test.cells().count(); ++cell) {
    const Members members = must(load_members(test.job(), test.scattered(), cell, kAll));
    ASSERT_EQ(members.vectors.count, members.rows.size());
    ASSERT_EQ(members.other.size(), members.rows.size());
    for (std::uint32_t m = 0; m < members.rows.size(); ++m) {
      const std::uint32_t row = members.rows[m];
      EXPECT_EQ(first.at(value_of(row)), row) << "the first of its value";
      EXPECT_EQ(
          std::memcmp(members.vectors.row(m).data, space.row(row).data(), space.row(row).size()),
          0);
      const Home& home = homes[row];
      const bool core = m < members.cores;
      EXPECT_EQ(cell, core ? home.first : home.second);
      EXPECT_EQ(members.other[m], core ? home.second : home.first);
      if (core) {
        EXPECT_TRUE(seen.insert(row).second);
      }
    }
    EXPECT_TRUE(std::is_sorted(members.rows.begin(), members.rows.begin() + members.cores));
    EXPECT_TRUE(std::is_sorted(members.rows.begin() + members.cores, members.rows.end()));
    EXPECT_TRUE(std::is_sorted(members.duplicates.begin(), members.duplicates.end()));
    for (const Duplicate& duplicate : members.duplicates) {
      ASSERT_LT(duplicate.of, members.cores);
      EXPECT_EQ(first.at(value_of(duplicate.row)), members.rows[duplicate.of]);
      EXPECT_TRUE(seen.insert(duplicate.row).second);
    }
    const Members cores = must(load_cores(test.job(), test.scattered(), cell));
    EXPECT_EQ(cores.rows.size(), members.cores);
    EXPECT_TRUE(cores.duplicates == members.duplicates);
  }
  EXPECT_EQ(seen.size(), kRows);
}

INSTANTIATE_TEST_SUITE_P(All, Scatter,
                         ::testing::Values(Kind{DType::u8, Metric::l2}, Kind{DType::i8, Metric::l2},
                                           Kind{DType::f32, Metric::l2},
                                           Kind{DType::u8, Metric::cosine},
                                           Kind{DType::i8, Metric::ip},
                                           Kind{DType::f32, Metric::ip},
                                           Kind{DType::f32, Metric::cosine}));

/// Distinct rows alone.
TEST(Members, AreNoMoreThanTheMemoryHolds) {
  sim::SimFs fs;
  Rows rows{io::random_bytes(5000 * 8, 1), 8, DType::u8};
  TestJob test(fs, "work", rows, options_of(Metric::l2));
  test.partition(4);
  const Members all = must(load_members(test.job(), test.scattered(), 1, kAll));
  ASSERT_LT(all.cores + 20, all.rows.size()) << "there are second copies";
  // Second copies beyond the limit are left out, core vectors may be a quarter more.
  for (const std::uint64_t most : {std::uint64_t{all.cores} + 10, std::uint64_t{all.cores} - 10}) {
    const Members few = must(load_members(test.job(), test.scattered(), 1, most));
    EXPECT_EQ(few.cores, all.cores);
    EXPECT_EQ(few.rows.size(), std::max<std::uint64_t>(most, all.cores));
    EXPECT_TRUE(std::equal(few.rows.begin(), few.rows.end(), all.rows.begin()));
  }
  const auto none = load_members(test.job(), test.scattered(), 1, all.cores / 2);
  ASSERT_FALSE(none);
  expect_error(none.error(), ErrorCode::over_limit, {"memory", "partitions"});
}

TEST(Members, CopiesCountByTheirMemory) {
  sim::SimFs fs;
  constexpr std::size_t kDistinct = 100;
  Rows rows{io::random_bytes(5000 * 8, 1), 8, DType::u8};
  for (std::uint64_t i = kDistinct; i < 5000; ++i) copy_row(rows, 0, i);
  TestJob test(fs, "work", rows, options_of(Metric::l2));
  test.partition(1);
  const Members all = must(load_members(test.job(), test.scattered(), 0, kAll));
  EXPECT_EQ(all.cores, kDistinct);
  EXPECT_EQ(all.duplicates.size(), 5000 - kDistinct);
  // At least 16 and at most 100 copies take the memory of a member.
  EXPECT_TRUE(load_members(test.job(), test.scattered(), 0, kDistinct + 4900 / 16));
  const auto none = load_members(test.job(), test.scattered(), 0, kDistinct + 4900 / 500);
  ASSERT_FALSE(none);
  expect_error(none.error(), ErrorCode::over_limit, {"copies", "memory", "partitions"});
}

/// Every temporary file of a folder.
std::map<std::string, std::vector<std::byte>> parts_in(sim::SimFs& fs) {
  std::map<std::string, std::vector<std::byte>> parts;
  for (const std::string& name : must(fs.list("work")))
    if (name.ends_with(kTemporarySuffix)) parts[name] = fs.bytes("work/" + name);
  return parts;
}

TEST(ScatterUnits, AreTheSameForAnyNumberOfThreadsAndOfRuns) {
  Rows rows = some_rows(DType::u8);
  const auto labels = labels_of(kRows);
  sim::SimFs whole;
  TestJob one(whole, "work", rows, options_of(Metric::l2, 1), labels);
  one.partition(10);
  const auto expected = parts_in(whole);
  EXPECT_GT(expected.size(), 2 * 3 * 8U);
  sim::SimFs fs;
  for (std::uint32_t stop = 1;; ++stop) {  // each run is stopped after one more unit
    ASSERT_LT(stop, 6U);
    TestJob test(fs, "work", rows, options_of(Metric::l2, 5), labels);
    test.take_sample();
    test.train(10);
    std::uint32_t calls = 0;
    test.job().tick = [&](const char*, std::uint64_t, std::uint64_t) { return ++calls != stop; };
    const Status done = test.scatter();
    if (done) break;
    EXPECT_EQ(done.error().code, ErrorCode::cancelled);
    EXPECT_EQ(test.journal().size(), stop);
  }
  EXPECT_TRUE(parts_in(fs) == expected);
}

TEST(ScatterUnits, NoticeAnInputThatHasChanged) {
  for (const std::uint64_t row : {std::uint64_t{0}, kUnitRows - 1, kUnitRows, kRows - 1}) {
    sim::SimFs fs;
    TestJob test(fs, "work", some_rows(DType::u8), options_of(Metric::l2));
    test.take_sample();
    test.train(3);
    test.source().rows.row(row)[2] ^= std::byte{1};
    const Status done = test.scatter();
    ASSERT_FALSE(done);
    expect_error(done.error(), ErrorCode::already_exists,
                 {"changed", "row " + std::to_string(row / kUnitRows * kUnitRows)});
  }
}

TEST(ScatterUnits, NoticeLabelsThatHaveChanged) {
  sim::SimFs fs;
  TestJob test(fs, "work", some_rows(DType::u8), options_of(Metric::l2), labels_of(kRows));
  test.take_sample();
  test.train(3);
  std::swap(test.source().labels[20'000], test.source().labels[20'001]);
  const Status done = test.scatter();
  ASSERT_FALSE(done);
  expect_error(done.error(), ErrorCode::already_exists, {"row 16384"});
}

TEST(ScatterUnits, GoGroupAfterGroup) {
  sim::SimFs fs;
  TestJob test(fs, "work", some_rows(DType::u8, 6), options_of(Metric::l2));
  test.partition(20);
  const Scattered& scattered = test.scattered();
  const auto left = [&](const char* kind) {
    return std::ranges::count_if(must(fs.list("work")),
                                 [&](const auto& name) { return name.starts_with(kind); });
  };
  EXPECT_EQ(left("core-"), 3 * 8);
  for (std::uint32_t cell = 0; cell < scattered.cells(); ++cell) {
    std::uint64_t found = 0;
    ASSERT_TRUE(ok(scattered.read(Copy::core, cell,
                                  [&](std::span<const std::byte> part) { found += part.size(); })));
    EXPECT_EQ(found, scattered.count(Copy::core, cell) * scattered.shape().bytes(Copy::core));
    ASSERT_TRUE(ok(scattered.release(Copy::core, cell)));
    ASSERT_TRUE(ok(scattered.release(Copy::core, cell))) << "again";
  }
  EXPECT_EQ(left("core-"), 0);
  EXPECT_EQ(left("second-"), 3 * 8);
}

TEST(ScatterUnits, RefuseAFileThatIsDamaged) {
  sim::SimFs fs;
  TestJob test(fs, "work", some_rows(DType::u8), options_of(Metric::l2));
  test.partition(1);
  auto bytes = fs.bytes("work/core-1-0.part");
  bytes[5000] ^= std::byte{1};
  fs.set_bytes("work/core-1-0.part", bytes);
  const auto members = load_members(test.job(), test.scattered(), 0, kAll);
  ASSERT_FALSE(members);
  expect_error(members.error(), ErrorCode::corrupt, {"core-1-0.part"});
}

// ---- the first pass

TEST(TakeSample, DigestsCoverRowsAndLabels) {
  const auto digests = [](const Rows& rows, const std::vector<Label>& labels) {
    RowsSource source(rows, labels);
    return must(take_sample(source, {}, Workers(2), {})).digests;
  };
  Rows rows = random_rows(kUnitRows + 5, 3, DType::u8, 1);
  const auto one = digests(rows, {});
  ASSERT_EQ(one.size(), 2U);
  EXPECT_EQ(one, digests(rows, {}));
  Rows other = rows;
  other.row(kUnitRows + 4)[2] ^= std::byte{1};
  EXPECT_EQ(one[0], digests(other, {})[0]);
  EXPECT_NE(one[1], digests(other, {})[1]);
  std::vector<Label> labels(rows.count());
  const auto labelled = digests(rows, labels);
  EXPECT_NE(one[0], labelled[0]);
  labels[3] = 1;
  EXPECT_NE(labelled[0], digests(rows, labels)[0]);
  EXPECT_EQ(labelled[1], digests(rows, labels)[1]);
}

TEST(TakeSample, DrawsRowsOfTheInput) {
  const Rows rows = random_rows(70'000, 2, DType::u8, 3);
  RowsSource source(rows);
  const Sample sample = must(take_sample(source, {.seed = 4}, Workers(2), {}));
  ASSERT_EQ(sample.count, sample_rows(70'000, 2));
  ASSERT_EQ(sample.count, 65'536U);
  const auto drawn = draw_sample(70'000, sample.count, 4);
  for (std::size_t i = 0; i < drawn.size(); ++i)
    ASSERT_EQ(std::memcmp(sample.rows.data() + i * 2, rows.batch().row(drawn[i]).data, 2), 0);
  EXPECT_EQ(sample_rows(100, 65'536), 100U);
  EXPECT_EQ(sample_rows(1'000'000, 65'536), 1024U);
}

TEST(TakeSample, NamesTheFirstRowThatAMetricCannotTake) {
  Rows rows = random_rows(40'000, 2, DType::f32, 3);
  const float zeros[2] = {0, 0};
  for (const std::uint64_t row : {39'999U, 20'001U, 20'000U})
    std::memcpy(rows.row(row).data(), zeros, sizeof zeros);
  RowsSource source(rows);
  EXPECT_TRUE(take_sample(source, {.metric = Metric::l2}, Workers(3), {}));
  const auto sample = take_sample(source, {.metric = Metric::cosine}, Workers(3), {});
  ASSERT_FALSE(sample);
  expect_error(sample.error(), ErrorCode::invalid_argument, {"row 20000", "zero vector"});
}

TEST(TakeSample, FindsTheLargestNorm) {
  Rows rows = random_rows(20'000, 2, DType::f32, 3);
  const float large[2] = {30, 40};
  std::memcpy(rows.row(18'000).data(), large, sizeof large);
  RowsSource source(rows);
  EXPECT_DOUBLE_EQ(
      must(take_sample(source, {.metric = Metric::ip}, Workers(3), {})).squared_norm_max, 2500);
}

TEST(GrowingBytes, HoldsWhatWasAppended) {
  constexpr std::uint64_t kSeed = 5;
  std::vector<std::byte> all;
  GrowingBytes bytes;
  for (std::size_t part = 0; part < 200; ++part) {
    const auto more = io::random_bytes(part * 37 % 1000, kSeed + part);
    bytes.append(more);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(bytes.size(), all.size());
  EXPECT_EQ(std::memcmp(bytes.data(), all.data(), all.size()), 0);
}

}  // namespace
}  // namespace cairn::build
