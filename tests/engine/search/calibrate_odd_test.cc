// Calibration of indexes that are not as usual: several segments, few vectors, damaged blocks.
#include <cairn/calibrate.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "engine/search/calibrate.h"
#include "engine/search/trace.h"
#include "layout/calibration.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

CalibrateOptions few() { return {.rows = 20, .threads = 2}; }

void build_part(const std::string& folder, std::uint64_t count, Label first_label) {
  const Rows rows = build::random_rows(count, 16, DType::u8, first_label);
  std::vector<Label> labels(count);
  std::iota(labels.begin(), labels.end(), first_label);
  BuildOptions options{.code_bytes = 8, .refine_bytes = 8, .degree = 24, .threads = 2};
  options.refine_layers = {2, 3, 3};
  options.calibration_rows = 0;
  build::build_index(folder, rows, options, labels);
}

/// The layers of a small segment fit before those of a large one, and go by the same name.
TEST(CalibrateOdd, SegmentsOfDifferentSizes) {
  ScratchDir dir;
  const std::string folder = dir.file("index");
  build_part(folder, 800, 1);
  build_part(dir.file("second"), 1600, 10'000);
  merge_segments(dir.file("second"), folder);
  const auto measured = must(measure_calibration(io::posix_fs(), folder, few()));
  const auto decoded = layout::decode_calibration(layout::encode_calibration(measured));
  EXPECT_TRUE(decoded.has_value()) << decoded.error().to_string();
  EXPECT_TRUE(calibrate_index(folder, few()).has_value());
  const auto index = must(Index::open(folder));
  EXPECT_TRUE(index->stats().calibrated);
  EXPECT_TRUE(must(index->verify()).ok());
}

/// A state has the same curves whether a limit leads to it or it is asked for, also one that no
/// limit leads to can be.
TEST(CalibrateOdd, MeasuresTheStatesThatAreAskedFor) {
  ScratchDir dir;
  const std::string folder = dir.file("index");
  build_part(folder, 2000, 1);
  const CalibrateOptions options = few();
  const auto all = must(measure_calibration(io::posix_fs(), folder, options));
  const auto bare = must(measure_calibration(io::posix_fs(), folder, options,
                                             {.states = {SegmentPlan{}}, .neighbors = {10}}));
  ASSERT_FALSE(bare.curves.empty());
  for (const layout::Curve& curve : bare.curves) {
    EXPECT_EQ(curve.record.refine_bytes, 0U);
    EXPECT_EQ(curve.record.nav_edges, 0U);
    EXPECT_EQ(curve.record.k, 10U);
    const auto same = std::ranges::find_if(all.curves, [&](const layout::Curve& other) {
      return other.record.key() == curve.record.key();
    });
    ASSERT_NE(same, all.curves.end());
    ASSERT_EQ(same->points.size(), curve.points.size());
    EXPECT_EQ(same->points.back().blocks, curve.points.back().blocks);
  }
  const auto edges = must(
      measure_calibration(io::posix_fs(), folder, options,
                          {.states = {SegmentPlan{.layers = 0, .slices = 1}}, .neighbors = {10}}));
  ASSERT_FALSE(edges.curves.empty());
  EXPECT_EQ(edges.curves.front().record.refine_bytes, 0U);
  EXPECT_EQ(edges.curves.front().record.nav_edges, 8U);
}

TEST(CalibrateOdd, ACacheOfBlocksChangesNoTrace) {
  const auto built = build_index({.count = 2000, .dim = 64, .dtype = DType::f32});
  const auto snapshot = must(Snapshot::open(io::posix_fs(), built->folder, {}));
  constexpr std::uint32_t kQueries = 70;
  std::vector<TracedQuery> traced;
  std::vector<float> kth;
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    const SearchRequest request = request_for(*built, i);
    traced.push_back({.vector = request.query, .hidden = {}});
    kth.push_back(exact_answer(*built, request).back().distance);
  }
  TraceOptions options{.list_size = 60, .slack = 0.2F, .slack_max = 0.2F, .threads = 2};
  std::vector<Trace> bare(kQueries), cached(kQueries);
  ASSERT_TRUE(ok(trace_searches(*snapshot, traced, kth, options, bare, {})));
  // A third of the blocks: some are found in it, and some go.
  const auto cache = must(io::BlockCache::create(snapshot->cache_bytes_max() / 3, 4096));
  options.cache = cache.get();
  ASSERT_TRUE(ok(trace_searches(*snapshot, traced, kth, options, cached, {})));
  EXPECT_GT(cache->stats().hits, 0U);
  EXPECT_GT(cache->stats().evictions, 0U);
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    EXPECT_EQ(cached[i].needed, bare[i].needed) << i;
    EXPECT_EQ(cached[i].found, bare[i].found) << i;
    EXPECT_EQ(cached[i].codes, bare[i].codes) << i;
  }
}

/// One vector a block, a list of all of them: more blocks are wanted at once than there are
/// buffers.
TEST(CalibrateOdd, AListOfAllVectorsInAsManyBlocks) {
  const auto built = build_index({.count = 400, .dim = 800, .dtype = DType::f32});
  const auto snapshot = must(Snapshot::open(io::posix_fs(), built->folder, {}));
  ASSERT_EQ(snapshot->stats().slots_per_block, 1U);
  constexpr std::uint32_t kNeighbours = 10, kQueries = 40;
  std::vector<TracedQuery> traced;
  std::vector<float> kth;
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    const SearchRequest request = request_for(*built, i, kNeighbours);
    traced.push_back({.vector = request.query, .hidden = {}});
    kth.push_back(exact_answer(*built, request).back().distance);
  }
  std::vector<Trace> traces(kQueries);
  constexpr float kNoEnd = std::numeric_limits<float>::max();
  const TraceOptions options{
      .k = kNeighbours, .list_size = 400, .slack = kNoEnd, .slack_max = kNoEnd};
  ASSERT_TRUE(ok(trace_searches(*snapshot, traced, kth, options, traces, {})));
  for (const Trace& trace : traces) {
    EXPECT_EQ(trace.needed.size(), built->spec.count);
    EXPECT_EQ(trace.found.back(), kNeighbours);
  }
}

TEST(CalibrateOdd, BlocksWithoutTheVectorsOfTheManifest) {
  const auto built = build_index({.count = 400});
  rewrite_blocks(built->folder, [](const layout::BlockShape& shape, std::span<std::byte> block,
                                   std::uint32_t first_slot) {
    layout::BlockWriter(shape, block, first_slot).finish();
  });
  const auto measured = measure_calibration(io::posix_fs(), built->folder, few());
  ASSERT_TRUE(fails_with(measured, ErrorCode::corrupt));
  EXPECT_EQ(measured.error().file, built->folder);
}

/// A block that is sealed and yet not what it should be is named by all that read it.
TEST(CalibrateOdd, ABrokenBlockIsNamed) {
  const auto built = build_index({.count = 400});
  rewrite_blocks(built->folder,
                 [](const layout::BlockShape&, std::span<std::byte> block, std::uint32_t) {
                   block[offsetof(layout::BlockHeader, first_slot)] ^= std::byte{1};
                 });
  const std::string file = file_of(built->folder, "blocks");
  const auto expect_named = [&](const auto& result) {
    ASSERT_TRUE(fails_with(result, ErrorCode::corrupt));
    EXPECT_EQ(result.error().file, file) << result.error().to_string();
    EXPECT_TRUE(result.error().block.has_value()) << result.error().to_string();
  };
  const auto index = open_index(*built);
  expect_named(index->search(request_for(*built, 0)));
  expect_named(index->explain(request_for(*built, 0)));
  expect_named(index->get(BuiltIndex::label_of(7)));
  expect_named(measure_calibration(io::posix_fs(), built->folder, few()));
  const auto snapshot = must(Snapshot::open(io::posix_fs(), built->folder, {}));
  const TracedQuery query{.vector = built->row(3), .hidden = {}};
  const float kth = 0;
  Trace trace;
  const TraceOptions options{.list_size = 40, .slack = 1, .slack_max = 1};
  expect_named(trace_searches(*snapshot, {&query, 1}, {&kth, 1}, options, {&trace, 1}, {}));
}

TEST(CalibrateOdd, QueriesWithoutData) {
  const auto built = build_index({.count = 400});
  CalibrateOptions options = few();
  options.queries = {nullptr, 5, 16, DType::u8};
  EXPECT_TRUE(fails_with(calibrate_index(built->folder, options), ErrorCode::invalid_argument));
}

}  // namespace
}  // namespace cairn::search::testing
