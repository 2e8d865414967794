// Recall by name: what was measured on an index holds for searches that ask for it.
#include <cairn/calibrate.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "engine/build/replace_calibration.h"
#include "engine/search/calibrate.h"
#include "engine/search/curve.h"
#include "engine/search/trace.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint32_t kVectors = 5000, kQueries = 300, kDim = 48;
constexpr std::ptrdiff_t kRowBytes = kDim * sizeof(float);

/// Rows of one kind, hard to search for their number: those of the index, then the queries.
const Rows& all_rows() {
  static const Rows rows = [] {
    constexpr std::uint32_t kLatent = 14;
    std::mt19937_64 random(11);
    std::normal_distribution<float> normal;
    std::vector<float> axes(kLatent * kDim), floats;
    for (float& x : axes) x = normal(random);
    for (std::uint32_t i = 0; i < kVectors + kQueries; ++i) {
      std::array<float, kLatent> at;
      for (float& x : at) x = normal(random);
      for (std::uint32_t d = 0; d < kDim; ++d) {
        float sum = normal(random) / 4;
        for (std::uint32_t a = 0; a < kLatent; ++a) sum += at[a] * axes[a * kDim + d];
        floats.push_back(sum);
      }
    }
    const auto bytes = std::as_bytes(std::span(floats));
    return Rows{{bytes.begin(), bytes.end()}, kDim, DType::f32};
  }();
  return rows;
}
Rows part(std::uint32_t first, std::uint32_t count) {
  const auto begin = all_rows().bytes.begin() + std::ptrdiff_t{first} * kRowBytes;
  return {{begin, begin + std::ptrdiff_t{count} * kRowBytes}, kDim, DType::f32};
}
const Rows& queries() {
  static const Rows rows = part(kVectors, kQueries);
  return rows;
}

/// Built once a process, without a calibration; tests copy it.
const BuiltIndex& hard_index() {
  static const auto built = [] {
    auto made = std::make_unique<BuiltIndex>();
    made->spec = {.count = kVectors, .dim = kDim, .dtype = DType::f32};
    made->folder = made->dir.file("index");
    made->rows = part(0, kVectors);
    BuildOptions options;
    options.calibration_rows = 0;
    options.degree = 24;
    options.refine_bytes = options.code_bytes = 8;
    options.nav_edges = 16;  // a state of memory for each 8
    options.threads = 2;
    std::vector<Label> labels(kVectors);
    for (std::uint64_t i = 0; i < kVectors; ++i) labels[i] = BuiltIndex::label_of(i);
    build::build_index(made->folder, made->rows, options, labels);
    return made;
  }();
  return *built;
}

std::string copy_of_index(const ScratchDir& dir) {
  const std::string folder = dir.file("index");
  copy_folder(hard_index().folder, folder);
  return folder;
}

/// Of each query, by k from 1 on. Found once a process: it costs more than what is tested.
float kth_distance(std::uint32_t query, std::uint32_t k) {
  constexpr std::uint32_t kMost = 30;
  static const auto truths = [] {
    std::vector<std::vector<Neighbor>> answers;
    for (std::uint32_t i = 0; i < kQueries; ++i)
      answers.push_back(
          exact_answer(hard_index(), {.query = queries().batch().row(i), .k = kMost}));
    return answers;
  }();
  return truths.at(query).at(k - 1).distance;
}

constexpr std::uint32_t kRows = 300;
CalibrateOptions small() { return {.rows = kRows, .threads = 2}; }

/// Mean recall of the queries, in one batch or one at a time.
double mean_recall(const Index& index, std::uint32_t k, double recall, bool lone,
                   double* reads = nullptr) {
  std::vector<SearchRequest> requests(kQueries);
  for (std::uint32_t i = 0; i < kQueries; ++i)
    requests[i] = {.query = queries().batch().row(i), .k = k, .recall = recall};
  std::vector<Result<SearchResult>> results;
  if (lone) {
    for (const SearchRequest& request : requests) results.push_back(index.search(request));
  } else {
    results = index.search_batch(requests);
  }
  double found = 0;
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    const SearchResult result = must(std::move(results[i]));
    for (const Neighbor& n : result.neighbors) found += n.distance <= kth_distance(i, k);
    if (reads != nullptr) *reads += static_cast<double>(result.counters.reads) / kQueries;
  }
  return found / (kQueries * k);
}

TEST(Calibrate, AnIndexWithoutOneSaysSo) {
  const auto index = open_index(hard_index());
  EXPECT_FALSE(index->stats().calibrated);
  SearchRequest request = request_for(hard_index(), 0);
  request.list_size = 0;
  request.recall = 0.9;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::unsupported));
  EXPECT_TRUE(fails_with(index->effort(10, 0.9), ErrorCode::unsupported));
}

class Calibrated : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    measured_ = std::make_unique<ScratchDir>();
    report_ = must(calibrate_index(copy_of_index(*measured_), small()));
  }
  static void TearDownTestSuite() { measured_.reset(); }
  void SetUp() override {
    folder_ = dir_.file("index");
    copy_folder(measured_->file("index"), folder_);
  }
  std::unique_ptr<Index> open(const OpenOptions& options = {}) const {
    return must(Index::open(folder_, options));
  }
  ScratchDir dir_;
  std::string folder_;
  static inline std::unique_ptr<ScratchDir> measured_;
  static inline CalibrateReport report_;
};

/// The window is that of the promise, and three standard errors of means over the queries. Where it
/// goes beyond all there is, what is read must still be no more than the effort that was named.
TEST_F(Calibrated, RecallAskedForIsRecallFound) {
  const std::uint64_t least = smallest_limit(folder_);
  for (const bool all : {false, true}) {
    OpenOptions options;
    if (!all) options.memory_limit_bytes = least;
    const auto index = open(options);
    EXPECT_TRUE(index->stats().calibrated);
    for (const std::uint32_t k : {1U, 10U})
      for (const double recall : {0.9, 0.95, 0.99})
        for (const bool lone : {false, true}) {
          SCOPED_TRACE(::testing::Message() << "all " << all << ", k " << k << ", recall " << recall
                                            << ", lone " << lone);
          const SearchEffort effort = must(index->effort(k, recall));
          EXPECT_TRUE(effort.reached);
          const double error = 3 * std::sqrt(recall * (1 - recall) / (k < 10 ? 1 : 3) / kQueries);
          double reads = 0;
          index->drop_cache();
          const double found = mean_recall(*index, k, recall, lone, &reads);
          EXPECT_LT(reads, 1.25 * (lone ? effort.reads_wide : effort.reads) + 1);
          EXPECT_GT(found, recall - 0.005 - error);
          const bool all_is_more = lone ? effort.least_wide : effort.least;
          EXPECT_LT(found, all_is_more ? 1.01 : recall + 0.015 + error);
        }
  }
}

/// Between the k that were measured the promise is a little wider.
TEST_F(Calibrated, OtherNeighboursLieBetween) {
  const auto index = open();
  for (const double recall : {0.9, 0.95}) {
    const double found = mean_recall(*index, 30, recall, false);
    EXPECT_GT(found, recall - 0.03);
    EXPECT_LT(found, recall + 0.05);
  }
}

TEST_F(Calibrated, MoreRecallCostsMoreReads) {
  const auto index = open();
  double before = 0;
  for (const double recall : {0.7, 0.9, 0.99}) {
    double reads = 0;
    mean_recall(*index, 10, recall, false, &reads);
    EXPECT_GT(reads, before) << recall;
    const SearchEffort effort = must(index->effort(10, recall));
    EXPECT_NEAR(effort.reads, reads, 0.25 * reads + 1) << recall;
    before = reads;
  }
}

TEST_F(Calibrated, ARequestIsChecked) {
  const auto index = open();
  SearchRequest request{.query = queries().batch().row(0), .recall = 0.9};
  EXPECT_TRUE(index->search(request).has_value());
  request.list_size = 20;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument));
  request.list_size = 0;
  request.slack = 0.1F;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument));
  request.slack.reset();
  for (const double bad : {0.0, -1.0, 1.01, std::nan("")}) {
    request.recall = bad;
    EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument)) << bad;
    EXPECT_TRUE(fails_with(index->effort(10, bad), ErrorCode::invalid_argument)) << bad;
  }
  EXPECT_TRUE(fails_with(index->effort(0, 0.9), ErrorCode::invalid_argument));
  request.recall = 1;
  EXPECT_TRUE(index->search(request).has_value());
}

TEST_F(Calibrated, TheFolderIsWholeAndSaysWhatItHolds) {
  EXPECT_TRUE(must(open()->verify()).ok());
  EXPECT_GT(report_.states, 2U);
  EXPECT_EQ(report_.queries, kRows);
}

void truncate_calibration(const std::string& file) {
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
}
void remove_calibration(const std::string& file) { std::filesystem::remove(file); }
void flip_in_calibration(const std::string& file) { flip_bit(file, 100); }

TEST_F(Calibrated, ADamagedOneCostsNothingButSearchesByRecall) {
  for (const auto damage : {remove_calibration, truncate_calibration, flip_in_calibration}) {
    const std::string file = file_of(folder_, "calibration");
    damage(file);
    std::string said;
    OpenOptions options;
    options.log = [&](const std::string& line) { said += line; };
    auto index = open(options);
    SCOPED_TRACE(said);
    EXPECT_NE(said.find(file), std::string::npos);
    EXPECT_FALSE(index->stats().calibrated);
    SearchRequest request{.query = queries().batch().row(0), .list_size = 64};
    EXPECT_TRUE(index->search(request).has_value());
    request.list_size = 0;
    request.recall = 0.9;
    const auto refused = index->search(request);
    ASSERT_TRUE(fails_with(refused, ErrorCode::unsupported));
    EXPECT_EQ(refused.error().file, file);
    const auto unknown = index->effort(10, 0.9);
    ASSERT_TRUE(fails_with(unknown, ErrorCode::unsupported));
    EXPECT_EQ(unknown.error().file, file);
    const auto untold = index->explain(request);
    ASSERT_TRUE(fails_with(untold, ErrorCode::unsupported));
    EXPECT_EQ(untold.error().file, file);
    EXPECT_FALSE(must(index->verify()).ok());
    index.reset();  // else it would keep the file
    // What cannot be read can be measured again.
    ASSERT_TRUE(calibrate_index(folder_, {.rows = 20, .threads = 2}).has_value());
    EXPECT_TRUE(must(open()->verify()).ok());
    EXPECT_TRUE(open()->search(request).has_value());
  }
}

TEST_F(Calibrated, TheCurvesCountWithinTheMemoryLimit) {
  const std::uint64_t least = smallest_limit(folder_);
  EXPECT_GT(least, smallest_limit(hard_index().folder));
  for (std::uint64_t limit = least; limit < least + 400'000; limit += 1 + limit / 128) {
    const auto index = open({.memory_limit_bytes = limit});
    EXPECT_TRUE(index->stats().calibrated) << limit - least;
    EXPECT_LE(index->stats().index_ram_bytes, limit) << limit - least;
  }
}

TEST_F(Calibrated, AnOpenIndexKeepsWhatItHas) {
  const auto before = open();
  const std::string old = file_of(folder_, "calibration");
  ASSERT_TRUE(calibrate_index(folder_, {.rows = 20, .threads = 1}).has_value());
  EXPECT_TRUE(std::filesystem::exists(old)) << "it may be in use";
  EXPECT_TRUE(before->search({.query = queries().batch().row(0), .recall = 0.9}).has_value());
}

TEST_F(Calibrated, WhatNobodyUsesIsRemoved) {
  ASSERT_TRUE(calibrate_index(folder_, {.rows = 20, .threads = 1}).has_value());
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    files += entry.path().extension() == ".calibration";
  EXPECT_EQ(files, 1U);
}

TEST(Calibrate, DoesNotDependOnThreads) {
  CalibrateOptions options = small();
  options.rows = 60;
  options.threads = 1;
  const auto one = must(measure_calibration(io::posix_fs(), hard_index().folder, options));
  options.threads = 3;
  const auto three = must(measure_calibration(io::posix_fs(), hard_index().folder, options));
  EXPECT_EQ(layout::encode_calibration(one), layout::encode_calibration(three));
}

/// Most lists measured one block at a time for k of one state of memory.
std::size_t most_lists(const layout::Calibration& calibration, std::uint32_t k) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> lists;
  std::size_t most = 0;
  for (const layout::Curve& curve : calibration.curves)
    if (curve.record.k == k && curve.record.width == 1)
      most = std::max(most, ++lists[{curve.record.refine_bytes, curve.record.nav_edges}]);
  return most;
}

/// A list that holds all there is to find ends the trying; one that does not is followed by longer.
TEST(Calibrate, TriesLongerListsWhileRecallIsWanting) {
  CalibrateOptions options = small();
  options.rows = 100;
  const auto hard = must(measure_calibration(io::posix_fs(), hard_index().folder, options));
  EXPECT_GT(most_lists(hard, 10), 1U);
  // A code byte a dimension of as many values: codes that are exact.
  const auto easy = build_index({.count = kVectors, .dim = 8, .dtype = DType::u8});
  const auto measured = must(measure_calibration(io::posix_fs(), easy->folder, options));
  EXPECT_EQ(most_lists(measured, 10), 1U);
}

layout::Curve one_point(std::uint32_t refine, std::uint32_t edges, float blocks) {
  layout::Curve curve;
  curve.record = {.refine_bytes = refine,
                  .nav_edges = edges,
                  .k = 10,
                  .width = 1,
                  .list_size = 64,
                  .queries = 1,
                  .points = 1,
                  .reserved = 0};
  curve.points = {{.slack = 0.1F, .recall = 1, .blocks = blocks, .codes = 100}};
  return curve;
}

TEST(Calibrate, ASearchWalksEdgesOnlyWhereThatWasCheaper) {
  ScratchDir dir;
  const std::string folder = copy_of_index(dir);
  const OpenOptions options{.io = IoBackend::sync};
  const IndexStats loaded = must(Index::open(folder, options))->stats();
  const std::uint32_t refine = loaded.refine_bytes_loaded, edges = loaded.nav_edges_loaded;
  ASSERT_GT(edges, 0U);
  for (const bool walks : {true, false}) {
    const layout::Calibration made = {
        .source = layout::CalibrationSource::rows,
        .curves = {one_point(refine, 0, walks ? 9 : 5), one_point(refine, edges, 7)}};
    must(build::replace_calibration(io::posix_fs(), folder, made));
    const auto index = must(Index::open(folder, options));
    EXPECT_EQ(must(index->effort(10, 0.9)).edges, walks);
    const SearchRequest asked{.query = queries().batch().row(0), .recall = 0.9};
    const Explanation told = must(index->explain(asked));
    EXPECT_EQ(told.edges, walks);
    EXPECT_EQ(told.entry_expanded > 0, walks);
    const SearchRequest by_hand{
        .query = asked.query, .list_size = 64, .slack = 0.1F, .edges = walks};
    const auto codes = [](const Result<SearchResult>& result) {
      return must(result).counters.code_distances;
    };
    EXPECT_EQ(codes(index->search(asked)), codes(index->search(by_hand)));
    EXPECT_EQ(codes(index->search_batch({&asked, 1}).front()),
              codes(index->search_batch({&by_hand, 1}).front()));
  }
}

TEST(Calibrate, TakesQueriesOfAUser) {
  ScratchDir dir;
  const std::string folder = copy_of_index(dir);
  CalibrateOptions options{.queries = queries().batch(), .threads = 2};
  EXPECT_EQ(must(calibrate_index(folder, options)).queries, kQueries);
  const auto index = must(Index::open(folder, {}));
  // Of the very queries: nothing but the gap between points is between asked and found.
  EXPECT_NEAR(mean_recall(*index, 10, 0.95, false), 0.954, 0.006);
  options.queries.dim = 12;
  EXPECT_TRUE(fails_with(calibrate_index(folder, options), ErrorCode::invalid_argument));
}

TEST(Calibrate, SaysWhatIsWrong) {
  ScratchDir dir;
  const auto nothing = calibrate_index(dir.file("nothing"), {});
  ASSERT_TRUE(fails_with(nothing, ErrorCode::not_found));
  EXPECT_EQ(nothing.error().found, "no MANIFEST there");
  const std::string folder = copy_of_index(dir);
  EXPECT_TRUE(fails_with(calibrate_index(folder, {.memory_bytes = 1000}), ErrorCode::over_limit));
  const auto held = must(io::posix_fs().lock(folder + "/" + layout::kWriterLockName));
  EXPECT_TRUE(fails_with(calibrate_index(folder, small()), ErrorCode::busy));
}

TEST(Calibrate, CanBeCancelledAndLeavesTheIndexAsItWas) {
  ScratchDir dir;
  const std::string folder = copy_of_index(dir);
  CalibrateOptions options{.rows = 40, .threads = 2};
  options.progress = [](double share) { return share < 0.5; };
  EXPECT_TRUE(fails_with(calibrate_index(folder, options), ErrorCode::cancelled));
  EXPECT_FALSE(must(Index::open(folder, {}))->stats().calibrated);
}

/// The one claim that calibration rests on: of a search one block at a time, the first blocks are
/// those of every search with less slack.
TEST(Trace, IsThatOfEverySearchWithLessSlack) {
  OpenOptions options;
  options.memory_limit_bytes = smallest_limit(hard_index().folder);
  const auto snapshot = must(Snapshot::open(io::posix_fs(), hard_index().folder, options));
  std::vector<TracedQuery> traced;
  std::vector<float> kth;
  std::vector<SearchRequest> requests;
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    requests.push_back({.query = queries().batch().row(i), .k = 10, .list_size = 64});
    traced.push_back({.vector = requests[i].query, .hidden = {}});
    kth.push_back(kth_distance(i, 10));
  }
  std::vector<Trace> traces(kQueries);
  constexpr float kNoEnd = std::numeric_limits<float>::max();
  ASSERT_TRUE(
      ok(trace_searches(*snapshot, traced, kth,
                        {.list_size = 64, .slack = kNoEnd, .slack_max = kNoEnd}, traces, {})));
  const auto index = open_index(hard_index(), options);
  for (const float slack : {-0.2F, 0.0F, 0.1F, 0.4F}) {
    for (SearchRequest& request : requests) request.slack = slack;
    index->drop_cache();
    const auto results = index->search_batch(requests, {.reads_in_flight = 1});
    double found = 0, blocks = 0;
    for (std::uint32_t i = 0; i < kQueries; ++i) {
      for (const Neighbor& n : results[i]->neighbors) found += n.distance <= kth[i];
      blocks += results[i]->counters.reads + results[i]->counters.cache_hits;
    }
    const layout::CurvePoint expected = mean_at(traces, 10, slack);
    EXPECT_NEAR(expected.recall, found / kQueries / 10, 1e-6) << slack;
    EXPECT_NEAR(expected.blocks, blocks / kQueries, 1e-4) << slack;
  }
}

}  // namespace
}  // namespace cairn::search::testing
