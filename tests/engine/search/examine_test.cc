// Index::examine on an index in a folder: its figures against other ways to the same, its errors.
#include <cairn/examine.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/search/code_rank.h"
#include "engine/search/query_rows.h"
#include "engine/search/snapshot.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint64_t kQueries = 60;
constexpr std::uint32_t kK = 10;

/// The first rows as queries: they are their own nearest neighbours.
ExamineOptions options_for(const BuiltIndex& built) {
  ExamineOptions options;
  options.queries = built.rows.batch();
  options.queries.count = kQueries;
  options.k = kK;
  options.list_size = 12;
  options.rows = 50;
  options.threads = 2;
  return options;
}

std::uint64_t sum(const MissCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

/// Labels and distances of the true neighbours, found apart from the engine.
struct Truth {
  std::vector<Label> labels;
  std::vector<float> distances;
};
Truth truth_of(const BuiltIndex& built) {
  Truth truth;
  for (std::uint64_t i = 0; i < kQueries; ++i)
    for (const Neighbor& n : exact_answer(built, request_for(built, i, kK))) {
      truth.labels.push_back(n.label);
      truth.distances.push_back(n.distance);
    }
  return truth;
}

TEST(Examine, CountsWhatSearchesFind) {
  const BuiltIndex& built = shared_index();
  OpenOptions open;
  open.memory_limit_bytes = smallest_limit(built.folder);
  const auto index = open_index(built, open);
  ExamineOptions options = options_for(built);
  options.reads_max = 4;  // of a list of 12
  const Examination seen = must(index->examine(options));
  const Truth truth = truth_of(built);
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < kQueries; ++i) {
    SearchRequest request = request_for(built, i, kK);
    request.list_size = 12;
    request.reads_max = 4;
    for (const Neighbor& n : must(index->search(request)).neighbors)
      found += n.distance <= truth.distances[i * kK + kK - 1];
  }
  ASSERT_TRUE(seen.queries);
  EXPECT_EQ(seen.queries->queries, kQueries);
  EXPECT_NEAR(seen.queries->recall, static_cast<double>(found) / (kQueries * kK), 0.01);
  EXPECT_GT(seen.queries->missed, 0U);
  EXPECT_EQ(sum(seen.queries->missed_for), seen.queries->missed);
  EXPECT_EQ(sum(seen.rows.missed_for), seen.rows.missed);
  EXPECT_EQ(seen.list_size, 12U);
  EXPECT_EQ(seen.usual_list, 64U);
  EXPECT_EQ(seen.unreachable, 0U);
  EXPECT_EQ(seen.structure.vectors, built.spec.count);
  std::uint64_t vectors = 0, neighbors = 0;
  for (const PartitionLoad& load : seen.partitions) {
    vectors += load.vectors;
    neighbors += load.neighbors;
  }
  EXPECT_EQ(vectors, built.spec.count);
  EXPECT_EQ(neighbors, kQueries * kK);
  ASSERT_FALSE(seen.worst.empty());
  EXPECT_GE(seen.worst.front().missed, seen.worst.back().missed);
}

TEST(Examine, DoesNotDependOnThreadsAndTakesAGivenTruth) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  ExamineOptions options = options_for(built);
  const Examination computed = must(index->examine(options));
  const Truth truth = truth_of(built);
  options.truth = truth.labels;
  options.truth_distances = truth.distances;
  options.threads = 1;
  const Examination given = must(index->examine(options));
  EXPECT_EQ(given.queries->missed_for, computed.queries->missed_for);
  EXPECT_EQ(given.queries->recall, computed.queries->recall);
  EXPECT_EQ(given.rows.missed_for, computed.rows.missed_for);
  EXPECT_EQ(given.drift->median_ratio, computed.drift->median_ratio);
}

TEST(Examine, AListOfEverythingMissesNothing) {
  const BuiltIndex& built = shared_index();
  ExamineOptions options = options_for(built);
  options.list_size = static_cast<std::uint32_t>(built.spec.count);
  options.queries.count = 20;
  options.rows = 10;
  const Examination seen = must(open_index(built)->examine(options));
  EXPECT_EQ(seen.queries->missed, 0U);
  EXPECT_EQ(seen.queries->recall, 1);
  EXPECT_EQ(seen.rows.missed, 0U);
  EXPECT_TRUE(seen.worst.empty());
}

TEST(Examine, RowsAreHiddenFromTheirOwnSearch) {
  const BuiltIndex& built = shared_index();
  ExamineOptions options = options_for(built);
  options.queries = {};
  options.k = 1;
  options.rows = 1'000'000;
  const Examination seen = must(open_index(built)->examine(options));
  EXPECT_FALSE(seen.queries);
  EXPECT_FALSE(seen.drift);
  EXPECT_EQ(seen.rows.queries, built.spec.count / 8);
  EXPECT_GT(seen.rows.kth_distance, 0);  // a row itself is at 0
}

TEST(Examine, TwoSegments) {
  const auto first = build_index({.count = 1500, .seed = 1});
  const auto second = build_index({.count = 1500, .seed = 2});
  merge_segments(second->folder, first->folder);
  ExamineOptions options;
  options.queries = second->rows.batch();
  options.queries.count = 20;
  options.rows = 20;
  options.list_size = 3000;
  const Examination seen = must(open_index(*first)->examine(options));
  EXPECT_EQ(seen.stats.segment_count, 2U);
  EXPECT_EQ(seen.structure.vectors, 3000U);
  EXPECT_EQ(seen.unreachable, 0U);
  EXPECT_EQ(seen.queries->missed, 0U);
  options.list_size = 10;
  const Examination shorter = must(open_index(*first)->examine(options));
  EXPECT_EQ(sum(shorter.queries->missed_for), shorter.queries->missed);
}

TEST(Examine, RefusesWhatNoSearchTakes) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const auto refused = [&](const std::function<void(ExamineOptions&)>& change) {
    ExamineOptions options = options_for(built);
    change(options);
    return fails_with(index->examine(options), ErrorCode::invalid_argument);
  };
  EXPECT_TRUE(refused([](ExamineOptions& o) { o.k = 0; }));
  EXPECT_TRUE(refused([](ExamineOptions& o) { o.slack = std::nanf(""); }));
  EXPECT_TRUE(refused([](ExamineOptions& o) { o.queries.dim -= 1; }));
  EXPECT_TRUE(refused([](ExamineOptions& o) { o.queries.data = nullptr; }));
  EXPECT_TRUE(refused([](ExamineOptions& o) {
    o.queries = {};
    o.rows = 0;
  }));
  const std::vector<Label> few(7);
  EXPECT_TRUE(refused([&](ExamineOptions& o) { o.truth = few; }));
  Truth truth = truth_of(built);
  std::swap(truth.labels.front(), truth.labels.back());
  EXPECT_TRUE(refused([&](ExamineOptions& o) {
    o.truth = truth.labels;
    o.truth_distances = truth.distances;
  }));
  truth.labels.front() = 1;
  ExamineOptions unknown = options_for(built);
  unknown.truth = truth.labels;
  unknown.truth_distances = truth.distances;
  EXPECT_TRUE(fails_with(index->examine(unknown), ErrorCode::not_found));
}

TEST(Examine, CanBeCancelledInEachPhase) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  std::vector<std::string> phases;
  ExamineOptions options = options_for(built);
  options.progress = [&](std::string_view phase, std::uint64_t, std::uint64_t) {
    if (std::ranges::find(phases, phase) == phases.end()) phases.emplace_back(phase);
    return true;
  };
  must(index->examine(options));
  EXPECT_GE(phases.size(), 4U);
  for (const std::string& last : phases) {
    options.progress = [&](std::string_view phase, std::uint64_t, std::uint64_t) {
      return phase != last;
    };
    EXPECT_TRUE(fails_with(index->examine(options), ErrorCode::cancelled)) << last;
  }
}

TEST(Examine, ADamagedBlockIsAnErrorThatNamesIt) {
  const BuiltIndex& built = shared_index();
  const ScratchDir dir;
  copy_folder(built.folder, dir.file("index"));
  flip_bit(file_of(dir.file("index"), "blocks"), 4096 * 2 + 700);
  const auto index = must(Index::open(dir.file("index")), "open");
  const auto seen = index->examine(options_for(built));
  ASSERT_TRUE(fails_with(seen, ErrorCode::corrupt));
  EXPECT_EQ(seen.error().block, 2U);
  EXPECT_NE(seen.error().file.find(".blocks"), std::string::npos);
}

TEST(CodeRank, AListHoldsAsManyAsItsSize) {
  const BuiltIndex& built = shared_index();
  for (const bool refined : {false, true}) {
    OpenOptions open;
    if (!refined) open.memory_limit_bytes = smallest_limit(built.folder);
    const auto snapshot = must(Snapshot::open(io::posix_fs(), built.folder, open));
    const Segment& segment = snapshot->segments().front();
    ASSERT_EQ(segment.refine_codebook != nullptr, refined);
    std::vector<SlotBits> occupied;
    occupied.emplace_back(segment.slot_count);
    const Ref hidden{0, 5};
    for (std::uint32_t slot = 0; slot < segment.vector_count; ++slot) occupied[0].set(slot);
    CodeRank rank(*snapshot, occupied);
    rank.rank(built.row(17), hidden, 200, false);
    for (const std::uint64_t list : {10U, 50U, 200U}) {
      std::uint64_t held = 0;
      for (std::uint32_t slot = 0; slot < segment.slot_count; ++slot)
        held += rank.holds({0, slot}, list);
      EXPECT_GE(held, list);  // more where refined codes are alike
      EXPECT_LE(held, list + 3);
    }
    EXPECT_FALSE(rank.holds(hidden, 200));
  }
}

}  // namespace
}  // namespace cairn::search::testing
