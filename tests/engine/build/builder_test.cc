#include <cairn/builder.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "engine/build/codes.h"
#include "engine/math/pq.h"
#include "tests/engine/build/build_test_util.h"
#include "tests/engine/math/rows.h"

namespace cairn::build {
namespace {

BuildOptions small_options(Metric metric = Metric::l2) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.metric = metric;
  options.degree = 24;
  options.code_bytes = 4;
  options.refine_bytes = 4;
  options.threads = 2;
  return options;
}

std::vector<Label> shuffled_labels(std::uint64_t count, std::uint64_t seed) {
  std::vector<Label> labels(count);
  std::iota(labels.begin(), labels.end(), Label{1} << 40);
  std::shuffle(labels.begin(), labels.end(), std::mt19937_64(seed));
  return labels;
}

struct Kind {
  DType dtype;
  Metric metric;
};
class BuilderKinds : public ::testing::TestWithParam<Kind> {};

TEST_P(BuilderKinds, WritesAWholeIndex) {
  const ScratchDir dir;
  const auto [dtype, metric] = GetParam();
  for (const std::uint32_t dim : {1U, 3U, 20U}) {
    SCOPED_TRACE("dim " + std::to_string(dim));
    Rows rows = random_rows(1500, dim, dtype, dim);
    if (metric == Metric::cosine)  // zero vectors are refused
      for (std::uint64_t i = 0; i < 1500; ++i) rows.row(i)[dtype_bytes(dtype) - 1] |= std::byte{1};
    const auto labels = shuffled_labels(1500, dim);
    const std::string folder = dir.file("index" + std::to_string(dim));
    const BuildReport report = build_index(folder, rows, small_options(metric), labels);
    const StoredIndex index = read_index(folder);
    expect_whole(index, rows, labels);
    EXPECT_EQ(report.vectors, 1500U);
    EXPECT_EQ(report.edges, index.manifest.segments[0].edge_count);
    EXPECT_EQ(report.dropped_edges, index.manifest.segments[0].dropped_edges);
    EXPECT_EQ(index.manifest.header.dim, dim);
    EXPECT_EQ(index.manifest.metric(), metric);
    EXPECT_EQ(index.manifest.segments[0].code_bytes, std::min(dim, 4U));
    std::uint64_t bytes = 0;
    for (const auto& [name, content] : read_files(folder)) bytes += content.size();
    EXPECT_EQ(report.disk_bytes, bytes);
    EXPECT_FALSE(std::filesystem::exists(folder + ".building"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, BuilderKinds,
                         ::testing::Values(Kind{DType::u8, Metric::l2}, Kind{DType::i8, Metric::l2},
                                           Kind{DType::f32, Metric::l2},
                                           Kind{DType::u8, Metric::cosine},
                                           Kind{DType::i8, Metric::ip},
                                           Kind{DType::f32, Metric::ip},
                                           Kind{DType::f32, Metric::cosine}));

TEST(Builder, GivesTheSameBytesForAnyNumberOfThreadsAndBatches) {
  const ScratchDir dir;
  for (const DType dtype : {DType::u8, DType::f32}) {
    Rows rows = random_rows(3000, 24, dtype, 5);
    for (std::uint64_t to = 100; to < 200; ++to) copy_row(rows, to % 7, to);
    const std::string name = std::string(dtype_name(dtype));
    BuildOptions options = small_options();
    options.threads = 1;
    build_index(dir.file(name + "1"), rows, options);
    const auto one = read_files(dir.file(name + "1"));
    EXPECT_EQ(one.size(), 8U) << "six files, MANIFEST and PINS";
    for (const std::uint32_t threads : {2U, 5U}) {
      options.threads = threads;
      const std::string folder = dir.file(name + std::to_string(threads));
      auto builder = must(Builder::create(folder, 24, dtype, options));
      for (std::uint64_t at = 0; at < 3000; at += 1000)
        ASSERT_TRUE(ok(builder->add({rows.row(at).data(), 1000, 24, dtype})));
      must(builder->finish());
      EXPECT_TRUE(read_files(folder) == one) << threads << " threads, " << name;
    }
  }
}

TEST(Builder, IdentityFollowsInputAndOptions) {
  const ScratchDir dir;
  const Rows rows = random_rows(200, 8, DType::u8, 1);
  std::set<std::uint64_t> ids;
  const auto build = [&](const Rows& data, const BuildOptions& options,
                         std::span<const Label> labels = {}) {
    const std::string folder = dir.file(std::to_string(ids.size()));
    build_index(folder, data, options, labels);
    EXPECT_TRUE(ids.insert(read_index(folder).manifest.header.index_id).second);
  };
  build(rows, small_options());
  build(random_rows(200, 8, DType::u8, 2), small_options());
  build(rows, small_options(), shuffled_labels(200, 1));
  BuildOptions other = small_options();
  other.seed = 2;
  build(rows, other);
  other.degree = 23;
  build(rows, other);
  other.refine_bytes = 0;
  build(rows, other);
  other.alpha = 1.3;
  build(rows, other);
}

TEST(Builder, IdentityFollowsTheKernels) {
  const ScratchDir dir;
  const Rows rows = random_rows(200, 8, DType::u8, 1);
  std::set<std::uint64_t> ids;
  std::set<std::string> paths;
  for (const std::int64_t path : math::supported_paths()) {
    hwy::SetSupportedTargetsForTest(path);
    const std::string folder = dir.file(hwy::TargetName(path));
    build_index(folder, rows, small_options());
    hwy::SetSupportedTargetsForTest(0);
    const auto header = read_index(folder).manifest.header;
    ids.insert(header.index_id);
    paths.insert(header.kernel_path);
  }
  EXPECT_EQ(ids.size(), paths.size());
}

TEST(Builder, KeepsEveryDuplicate) {
  const ScratchDir dir;
  Rows rows = random_rows(800, 10, DType::i8, 6);
  for (std::uint64_t to = 0; to < 800; ++to)
    if (to % 3 == 1) copy_row(rows, to % 20, to);
  const BuildReport report = build_index(dir.file("index"), rows, small_options());
  EXPECT_GT(report.duplicates, 240U);
  expect_whole(read_index(dir.file("index")), rows, {});
}

TEST(Builder, TakesDegenerateSets) {
  const ScratchDir dir;
  int number = 0;
  const auto build = [&](const Rows& rows, Metric metric) {
    const std::string folder = dir.file(std::to_string(number++));
    SCOPED_TRACE(std::to_string(rows.count()) + " rows of dim " + std::to_string(rows.dim));
    build_index(folder, rows, small_options(metric));
    expect_whole(read_index(folder), rows, {});
  };
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
    for (const std::uint64_t count : {1U, 2U, 9U, 65U, 300U}) {
      Rows rows = random_rows(count, 5, DType::f32, count);
      build(rows, metric);
      for (std::uint64_t i = 1; i < count; ++i) copy_row(rows, 0, i);  // all equal
      build(rows, metric);
    }
  for (const Metric metric : {Metric::l2, Metric::ip}) {
    build({std::vector<std::byte>(700), 7, DType::u8}, metric);  // all zero
    Rows line = random_rows(2000, 1, DType::u8, 9);              // at most 256 values
    build(line, metric);
  }
  // Near-duplicates, and one vector far away.
  Rows near{std::vector<std::byte>(400 * 8), 2, DType::f32};
  for (std::uint64_t i = 0; i < 400; ++i) {
    const float row[2] = {1.0F + static_cast<float>(i) * 1e-7F, i == 399 ? 1e15F : 0.0F};
    std::memcpy(near.row(i).data(), row, sizeof row);
  }
  build(near, Metric::l2);
  build(near, Metric::ip);
}

// All directions are equal, and no two rows: vectors of a build are the same or apart by rounding.
TEST(Builder, TakesManyScaledCopiesOfOneVectorUnderCosine) {
  const ScratchDir dir;
  constexpr std::uint64_t kRows = 5000;
  constexpr std::uint32_t kDim = 8;
  std::vector<float> values;
  for (std::uint64_t i = 0; i < kRows; ++i)
    for (std::uint32_t d = 0; d < kDim; ++d)
      values.push_back(static_cast<float>((i + 1) * (d + 1)));
  Rows rows{std::vector<std::byte>(values.size() * sizeof(float)), kDim, DType::f32};
  std::memcpy(rows.row(0).data(), values.data(), values.size() * sizeof(float));
  const BuildReport report = build_index(dir.file("index"), rows, small_options(Metric::cosine));
  EXPECT_GT(report.duplicates, 1000U) << "equal where graphs are built";
  expect_whole(read_index(dir.file("index")), rows, {});
}

TEST(Builder, TakesRowsLongerThanABlock) {
  const ScratchDir dir;
  const Rows rows = random_rows(40, 5000, DType::f32, 2);
  BuildOptions options = small_options();
  build_index(dir.file("index"), rows, options);
  const StoredIndex index = read_index(dir.file("index"));
  EXPECT_EQ(index.manifest.segments[0].block_bytes, 20480U);
  expect_whole(index, rows, {});
}

/// What the codes of a stream of 16 dimensions stand for, slot by slot.
std::vector<float> decoded(const std::vector<std::byte>& stream) {
  layout::CodesHeader header;
  std::memcpy(&header, stream.data(), sizeof header);
  const layout::CodesPlan plan{header};
  math::Codebook book{{header.dim, header.m}, std::vector<float>(plan.codebook_floats())};
  std::memcpy(book.centroids.data(), stream.data() + sizeof header, book.centroids.size() * 4);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(stream.data()) + plan.codes_at();
  std::vector<float> rows(header.count * header.dim);
  math::pq_decode(book, {codes, plan.codes_bytes()}, rows);
  return rows;
}

/// Squared errors over all vectors: of nothing known, of the base codes, and with each layer more.
std::vector<double> errors_by_layer(const StoredIndex& index) {
  std::vector<std::vector<float>> parts{decoded(index.codes)};
  for (const auto& layer : index.refine) parts.push_back(decoded(layer));
  std::vector<double> errors(parts.size() + 1);
  for (std::size_t s = 0; s < index.vectors.size(); ++s) {
    if (!index.occupied[s]) continue;
    for (std::size_t d = 0; d < 16; ++d) {
      float x;
      std::memcpy(&x, index.vectors[s].data() + d * 4, 4);
      const auto square = [](double v) { return v * v; };
      errors[0] += square(x - 0.5);
      for (std::size_t p = 0; p < parts.size(); ++p)
        errors[p + 1] += square(x -= parts[p][s * 16 + d]);
    }
  }
  return errors;
}

TEST(Builder, CodesAreNearTheirVectors) {
  const ScratchDir dir;
  BuildOptions options = small_options();
  options.refine_bytes = 8;
  build_index(dir.file("index"), random_rows(2000, 16, DType::f32, 8), options);
  const auto errors = errors_by_layer(read_index(dir.file("index")));
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_LT(errors[1], errors[0] * 0.1);
  EXPECT_LT(errors[2], errors[1] * 0.4);
}

TEST(Builder, EachLayerOfRefinementTakesOffMoreOfTheError) {
  const ScratchDir dir;
  BuildOptions options = small_options();
  options.refine_layers = {3, 5, 2, 6};
  build_index(dir.file("index"), random_rows(2000, 16, DType::f32, 8), options);
  const StoredIndex index = read_index(dir.file("index"));
  const layout::SegmentRecord& segment = index.manifest.segments[0];
  EXPECT_EQ(segment.refine_bytes, 16U);
  EXPECT_EQ(index.manifest.header.incompatible, layout::kRefinementInLayers);
  const auto files = index.manifest.files_of(segment.segment, layout::Role::refine);
  ASSERT_EQ(files.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(index.manifest.layer_bytes(*files[i], segment.slot_count), options.refine_layers[i]);
  const auto errors = errors_by_layer(index);
  ASSERT_EQ(errors.size(), 6U);
  for (std::size_t p = 1; p < errors.size(); ++p) EXPECT_LT(errors[p], errors[p - 1] * 0.9) << p;
}

TEST(Builder, RefinementFollowsTheDimensionAndItsLayersTheNumberOfVectors) {
  EXPECT_EQ(default_refine_bytes(16), 16U);
  EXPECT_EQ(default_refine_bytes(128), 32U);
  EXPECT_EQ(default_refine_bytes(511), 32U);
  EXPECT_EQ(default_refine_bytes(512), 64U);
  EXPECT_EQ(default_refine_bytes(784), 98U);
  using Layers = std::vector<std::uint32_t>;
  EXPECT_EQ(refinement_layers(0, 128, 500'000), Layers{});
  EXPECT_EQ(refinement_layers(32, 128, 500'000), (Layers{6, 10, 8, 8}));
  EXPECT_EQ(refinement_layers(32, 784, 60'000), (Layers{32}));
  EXPECT_EQ(refinement_layers(63, 784, 60'000), (Layers{63}));
  EXPECT_EQ(refinement_layers(98, 784, 60'000), (Layers{32, 66}));
  EXPECT_EQ(refinement_layers(98, 784, 10'000'000), (Layers{6, 10, 8, 8, 66}));
}

/// Which the layers of an index show.
TEST(Builder, HighDimensionsGetMoreRefinementUnlessToldOtherwise) {
  const ScratchDir dir;
  const Rows rows = random_rows(300, 512, DType::u8, 8);
  BuildOptions options = small_options();
  options.refine_bytes = {};
  build_index(dir.file("default"), rows, options);
  EXPECT_EQ(read_index(dir.file("default")).manifest.segments[0].refine_bytes, 64U);
  options.refine_bytes = 0;
  build_index(dir.file("none"), rows, options);
  EXPECT_EQ(read_index(dir.file("none")).manifest.segments[0].refine_bytes, 0U);
}

TEST(Builder, RefusesLayersThatAreNoCodes) {
  const ScratchDir dir;
  for (const std::vector<std::uint32_t>& layers :
       {std::vector<std::uint32_t>{0}, {4, 0}, {17}, {9, 8}}) {
    BuildOptions options = small_options();
    options.refine_layers = layers;
    const auto builder = Builder::create(dir.file("index"), 16, DType::f32, options);
    ASSERT_FALSE(builder);
    expect_error(builder.error(), ErrorCode::invalid_argument, {"refine_layers"});
  }
}

TEST(Builder, ReportsProgressAndTimes) {
  const ScratchDir dir;
  std::set<std::string> seen;
  BuildOptions options = small_options();
  options.progress = [&](const BuildProgress& progress) {
    EXPECT_LE(progress.done, progress.total) << progress.phase;
    seen.emplace(progress.phase);
    return true;
  };
  const BuildReport report =
      build_index(dir.file("index"), random_rows(500, 8, DType::u8, 1), options);
  std::vector<std::string> phases;
  for (const auto& phase : report.phases) {
    phases.push_back(phase.name);
    EXPECT_GE(phase.wall_s, 0);
    EXPECT_GE(phase.cpu_s, 0);
  }
  EXPECT_EQ(phases, (std::vector<std::string>{"read", "train", "scatter", "link", "merge", "repair",
                                              "write", "verify", "publish"}));
  for (const char* phase : {"read", "scatter", "link", "merge", "repair", "write", "verify"})
    EXPECT_TRUE(seen.contains(phase)) << phase;
}

TEST(Builder, RefusesBadOptions) {
  const ScratchDir dir;
  const auto refused = [&](std::uint32_t dim, const BuildOptions& options, const char* word) {
    const auto builder = Builder::create(dir.file("index"), dim, DType::u8, options);
    ASSERT_FALSE(builder);
    expect_error(builder.error(), ErrorCode::invalid_argument, {word});
    EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
  };
  refused(0, {}, "dim");
  refused(kDimMax + 1, {}, "dim");
  BuildOptions options;
  options.calibration_rows = 0;
  options.code_bytes = 0;
  refused(4, options, "code_bytes");
  for (const std::uint32_t degree : {7U, 513U}) {
    options = {};
    options.degree = degree;
    refused(4, options, "degree");
  }
  for (const double alpha : {0.9, std::numeric_limits<double>::quiet_NaN()}) {
    options = {};
    options.alpha = alpha;
    refused(4, options, "alpha");
  }
  options = {};
  options.metric = static_cast<Metric>(0);
  refused(4, options, "metric");
  const auto builder = Builder::create("", 4, DType::u8, {});
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().code, ErrorCode::invalid_argument);
}

TEST(Builder, RefusesDuplicateLabelsAndEmptySetsAndASecondFinish) {
  const ScratchDir dir;
  const Rows rows = random_rows(10, 4, DType::u8, 1);
  std::vector<Label> labels(10);
  std::iota(labels.begin(), labels.end(), 0U);
  labels[7] = 2;
  {
    auto builder = must(Builder::create(dir.file("index"), 4, DType::u8, small_options()));
    ASSERT_TRUE(ok(builder->add(rows.batch(), labels)));
    const auto report = builder->finish();
    ASSERT_FALSE(report);
    expect_error(report.error(), ErrorCode::invalid_argument, {"label 2", "row 2 and row 7"});
    const auto again = builder->finish();
    ASSERT_FALSE(again);
    expect_error(again.error(), ErrorCode::invalid_argument, {"finished"});
    EXPECT_FALSE(builder->add(rows.batch()));
  }
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
  const auto empty = must(Builder::create(dir.file("index"), 4, DType::u8))->finish();
  ASSERT_FALSE(empty);
  expect_error(empty.error(), ErrorCode::invalid_argument, {"no vectors"});
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
}

TEST(Builder, AbandonedLeavesNothing) {
  const ScratchDir dir;
  {
    auto builder = must(Builder::create(dir.file("index"), 4, DType::u8));
    EXPECT_TRUE(std::filesystem::exists(dir.file("index.building")));
    ASSERT_TRUE(ok(builder->add(random_rows(10, 4, DType::u8, 1).batch())));
  }
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
}

TEST(Builder, TurnsExceptionsOfCallbacksIntoErrors) {
  const ScratchDir dir;
  BuildOptions options = small_options();
  options.progress = [](const BuildProgress& progress) -> bool {
    if (progress.phase == "link") throw std::runtime_error("no more");
    return true;
  };
  auto builder = must(Builder::create(dir.file("index"), 4, DType::u8, options));
  ASSERT_TRUE(ok(builder->add(random_rows(100, 4, DType::u8, 1).batch())));
  const auto report = builder->finish();
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::cancelled, {"callback", "no more"});
  EXPECT_EQ(must(io::posix_fs().list(dir.path())), std::vector<std::string>{"index.building"});
}

}  // namespace
}  // namespace cairn::build
