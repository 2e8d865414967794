// The indexes of tests/golden: they stay readable for ever, and today's builder still makes the
// newest byte by byte. Where a change of the builder is meant to change the bytes, make that anew
// with CAIRN_GOLDEN_UPDATE=1 and say so in the commit. Once a version that writes it has been
// released, the folder may not change any more: a new builder then gets a folder of its own.
#include <cairn/index.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "engine/math/distance.h"
#include "engine/math/kmeans.h"
#include "tests/engine/build/build_test_util.h"
#include "tests/engine/math/rows.h"

namespace cairn::build {
namespace {

/// Builder version 2 made the first, with its refinement in one layer.
const std::string kOlder = CAIRN_GOLDEN "/index-v1", kNewest = CAIRN_GOLDEN "/index-v1-layers";
constexpr std::uint64_t kRows = 200;
constexpr std::uint32_t kDim = 8;

/// Bytes of splitmix64 about eight centres, every tenth row a copy of another.
Rows golden_rows() {
  math::Rng rng(1);
  Rows rows{std::vector<std::byte>(kRows * kDim), kDim, DType::u8};
  std::vector<std::uint8_t> centres(8 * kDim);
  for (std::uint8_t& value : centres) value = static_cast<std::uint8_t>(32 + rng.below(192));
  for (std::uint64_t i = 0; i < kRows; ++i) {
    const std::uint64_t centre = rng.below(8);
    for (std::uint32_t d = 0; d < kDim; ++d)
      rows.row(i)[d] = static_cast<std::byte>(centres[centre * kDim + d] - 16 + rng.below(32));
    if (i % 10 == 9) copy_row(rows, rng.below(i), i);
  }
  return rows;
}

std::vector<Label> golden_labels() {
  std::vector<Label> labels;
  for (Label i = 0; i < kRows; ++i) labels.push_back((i * 7919 % kRows) << 33 | i);
  return labels;
}

/// The kernels that every machine has which this program runs on, while it lives: so the bytes are
/// compared there too where the CPU has other kernels than the one that made them.
class BaselineKernels {
 public:
  BaselineKernels() { hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET); }
  ~BaselineKernels() { hwy::SetSupportedTargetsForTest(0); }
};

BuildReport build_golden(const std::string& folder, std::uint32_t threads) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.degree = 12;
  options.code_bytes = 4;
  options.refine_layers = {2, 3, 3};
  options.seed = 42;
  options.threads = threads;
  return build_index(folder, golden_rows(), options, golden_labels());
}

class GoldenIndex : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenIndex, IsReadable) {
  const StoredIndex index = read_index(GetParam());
  expect_whole(index, golden_rows(), golden_labels());
  EXPECT_EQ(index.refine.size(), GetParam() == kOlder ? 1U : 3U);
  EXPECT_EQ(index.manifest.header.version, 1U);
}

TEST_P(GoldenIndex, OpensAndAnswers) {
  const auto index = must(Index::open(GetParam()));
  EXPECT_EQ(index->stats().refine_bytes_loaded, 8U);
  const VerifyReport report = must(index->verify());
  for (const Error& problem : report.problems) ADD_FAILURE() << problem.to_string();
  EXPECT_EQ(report.vectors, kRows);
  Rows rows = golden_rows();
  const std::vector<Label> labels = golden_labels();
  for (std::uint64_t i = 0; i < kRows; ++i) {
    SearchRequest request;
    request.query = rows.batch().row(i);
    request.k = kRows;
    request.list_size = kRows;
    const SearchResult result = must(index->search(request));
    ASSERT_FALSE(result.neighbors.empty());
    EXPECT_EQ(result.neighbors.front().distance, 0);
    EXPECT_TRUE(std::ranges::any_of(result.neighbors,
                                    [&](const Neighbor& neighbor) {
                                      return neighbor.label == labels[i] && neighbor.distance == 0;
                                    }))
        << "row " << i;
    EXPECT_TRUE(std::ranges::equal(must(index->get(labels[i])), rows.row(i)));
  }
}

std::string folder_name(const ::testing::TestParamInfo<std::string>& folder) {
  return folder.param == kOlder ? "older" : "newest";
}
INSTANTIATE_TEST_SUITE_P(Folders, GoldenIndex, ::testing::Values(kOlder, kNewest), folder_name);

TEST(NewestGoldenIndex, IsWhatTheBuilderMakes) {
  const BaselineKernels baseline;
  if (std::getenv("CAIRN_GOLDEN_UPDATE") != nullptr) {
    std::filesystem::remove_all(kNewest);
    build_golden(kNewest, 1);
  }
  const std::string recorded = read_index(kNewest).manifest.header.kernel_path;
  if (recorded != math::kernel_path())
    GTEST_SKIP() << "built with kernels for " << recorded << ", here are " << math::kernel_path();
  const ScratchDir dir;
  for (const std::uint32_t threads : {1U, 2U}) {
    const std::string folder = dir.file(std::to_string(threads));
    build_golden(folder, threads);
    const auto made = read_files(folder), golden = read_files(kNewest);
    ASSERT_EQ(made.size(), golden.size());
    for (const auto& [name, bytes] : golden) {
      ASSERT_TRUE(made.contains(name)) << name;
      EXPECT_TRUE(made.at(name) == bytes) << name << " differs, " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace cairn::build
