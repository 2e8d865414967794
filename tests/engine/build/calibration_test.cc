// The calibration that a build ends with, and how one takes the place of another.
#include <cairn/calibrate.h>
#include <cairn/index.h>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <vector>

#include "engine/build/replace_calibration.h"
#include "engine/build/write_index.h"
#include "tests/engine/build/tiny_build.h"
#include "tests/sanitized.h"

namespace cairn::build {
namespace {

using namespace tiny;

BuildOptions calibrated(std::uint32_t threads, std::uint64_t memory_bytes) {
  BuildOptions options = tiny::options();
  options.calibration_rows = 10;
  options.threads = threads;
  options.memory_bytes = memory_bytes;
  return options;
}

layout::Calibration small_calibration(std::uint32_t queries = 7) {
  layout::Curve curve;
  curve.record = {.refine_bytes = 0,
                  .nav_edges = 0,
                  .k = 10,
                  .width = 1,
                  .list_size = 20,
                  .queries = queries,
                  .points = 1,
                  .reserved = 0};
  curve.points.push_back({.slack = 0, .recall = 0.5F, .blocks = 3, .codes = 60});
  return {.source = layout::CalibrationSource::given, .curves = {curve}};
}

layout::Manifest manifest_of(const sim::SimFs& fs) {
  return must(layout::decode_manifest(fs.bytes(std::string(kTarget) + "/MANIFEST")));
}
std::string path_of(std::uint64_t number) {
  return std::string(kTarget) + "/" + layout::file_name(number, layout::Role::calibration);
}

TEST(BuildCalibration, HasTheSameBytesForAnyNumberOfThreads) {
  // So little that eight threads' searches would leave nothing for the index.
  constexpr std::uint64_t kMemory = std::uint64_t{192} << 20;
  Files one;
  for (const std::uint32_t threads : {1U, 2U, 8U}) {
    sim::SimFs fs;
    must(build_on(fs, calibrated(threads, kMemory)));
    ASSERT_NE(manifest_of(fs).calibration(), nullptr) << threads << " threads";
    if (threads == 1) one = files_of(fs);
    EXPECT_TRUE(files_of(fs) == one) << threads << " threads";
  }
}

#ifdef __GLIBC__
std::uint64_t resident_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Blocks that the heap keeps when they are freed, as what comes after them is in use.
TEST(BuildCalibration, GivesBackTheMemoryThatWasFreedBefore) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps what is freed";
  constexpr std::size_t kBlock = 64u << 10, kBlocks = 1024, kBytes = kBlock * kBlocks;
  std::vector<std::unique_ptr<char[]>> blocks(kBlocks);
  for (auto& block : blocks) {
    block = std::make_unique<char[]>(kBlock);
    std::memset(block.get(), 1, kBlock);
  }
  const auto last = std::move(blocks.back());
  blocks.clear();
  const std::uint64_t before = resident_bytes();
  std::uint64_t after = 0;
  BuildOptions options = calibrated(1, std::uint64_t{1} << 30);
  options.progress = [&](const BuildProgress& progress) {
    if (progress.phase == "recall") after = resident_bytes();
    return true;
  };
  sim::SimFs fs;
  must(build_on(fs, options));
  ASSERT_GT(after, 0U);
  ASSERT_GT(before, kBytes);
  EXPECT_LT(after, before - kBytes / 2);
  EXPECT_EQ(last[0], 1);
}
#endif

/// Every other operation of the last phase fails in turn: what follows measures and publishes
/// again.
TEST(BuildCalibration, AnyFailureOfThePhaseIsGoneOnFrom) {
  BuildOptions options = calibrated(1, std::uint64_t{1} << 30);
  std::uint64_t first = 0, end = 0;
  Files whole;
  {
    sim::SimFs fs;
    options.progress = [&](const BuildProgress& progress) {
      if (progress.phase == "recall" && first == 0) first = fs.operations().size();
      if (progress.phase == "publish") end = fs.operations().size();
      return true;
    };
    must(build_on(fs, options));
    options.progress = {};
    whole = files_of(fs);
  }
  ASSERT_GT(end, first + 10);
  std::uint64_t failed = 0;
  for (std::uint64_t at = first; at < end; at += 2) {
    SCOPED_TRACE("operation " + std::to_string(at));
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::partial, .error = EIO});
    if (!build_on(fs, options)) {
      ++failed;
      EXPECT_FALSE(must(fs.exists(kTarget)));
      must(build_on(fs, options));
    }
    EXPECT_TRUE(files_of(fs) == whole);
  }
  EXPECT_GT(failed, (end - first) / 4);
}

TEST(BuildCalibration, CountsAmongTheBytesOnTheDisk) {
  const ScratchDir dir;
  const Rows rows = random_rows(400, 8, DType::u8, 1);
  BuildOptions options = calibrated(2, std::uint64_t{1} << 30);
  const BuildReport report = build_index(dir.file("index"), rows, options);
  const IndexStats stats = must(Index::open(dir.file("index")))->stats();
  ASSERT_TRUE(stats.calibrated);
  EXPECT_EQ(report.disk_bytes, stats.disk_bytes);
}

/// A crash may leave the file of the next number, and a reader may hold an older manifest.
TEST(BuildCalibration, WhatACrashLeftIsInNobodysWay) {
  sim::SimFs fs;
  must(build_on(fs, calibrated(1, std::uint64_t{1} << 30)));
  const std::string pins = std::string(kTarget) + "/" + layout::kPinsName;
  const auto pin = must(fs.pin(pins, manifest_of(fs).header.sequence));
  const std::uint64_t pinned = manifest_of(fs).calibration()->number;
  ASSERT_TRUE(replace_calibration(fs, kTarget, small_calibration()));
  must(fs.create(path_of(manifest_of(fs).header.next_file_number), io::WriteMode::buffered));
  const auto replaced = replace_calibration(fs, kTarget, small_calibration(9));
  ASSERT_TRUE(replaced) << replaced.error().to_string();
  EXPECT_TRUE(verify_written(fs, kTarget));
  EXPECT_EQ(layout::encode_manifest(*replaced), layout::encode_manifest(manifest_of(fs)));
  EXPECT_TRUE(must(fs.exists(path_of(pinned)))) << "it may be in use";
}

TEST(BuildCalibration, APinOfAnyAgeIsRespected) {
  sim::SimFs fs;
  must(build_on(fs, calibrated(1, std::uint64_t{1} << 30)));
  const auto before = manifest_of(fs);
  auto pin = must(fs.pin(std::string(kTarget) + "/" + layout::kPinsName, before.header.sequence));
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(replace_calibration(fs, kTarget, small_calibration()));
  EXPECT_TRUE(must(fs.exists(path_of(before.calibration()->number))));
  pin.reset();
  ASSERT_TRUE(replace_calibration(fs, kTarget, small_calibration()));
  EXPECT_FALSE(must(fs.exists(path_of(before.calibration()->number))));
  EXPECT_FALSE(must(fs.exists(path_of(before.calibration()->number + 50))));
}

TEST(BuildCalibration, WhatNoReaderTakesIsNotPublished) {
  sim::SimFs fs;
  must(build_on(fs, calibrated(1, std::uint64_t{1} << 30)));
  const Files before = files_of(fs);
  layout::Calibration many;
  many.curves.resize(layout::kCurvesMax + 1, small_calibration().curves.front());
  for (std::uint32_t i = 0; i < many.curves.size(); ++i) many.curves[i].record.list_size = i + 1;
  layout::Calibration no_number = small_calibration();
  no_number.curves.front().points.front().recall = std::numeric_limits<float>::quiet_NaN();
  for (const layout::Calibration& bad : {many, no_number}) {
    const auto refused = replace_calibration(fs, kTarget, bad);
    ASSERT_FALSE(refused);
    expect_error(refused.error(), ErrorCode::unsupported, {kTarget, "calibration"});
    EXPECT_TRUE(files_of(fs) == before);
  }
}

/// Of a newer format, which says what an older one must do.
TEST(BuildCalibration, FilesOfUnknownRolesAreKeptAndReadableBitsRefused) {
  sim::SimFs fs;
  must(build_on(fs, calibrated(1, std::uint64_t{1} << 30)));
  const std::string path = std::string(kTarget) + "/" + layout::kManifestName;
  layout::Manifest manifest = manifest_of(fs);
  layout::FileRecord newer = manifest.files.front();
  newer.number = manifest.header.next_file_number++;
  newer.identity = 12345;
  newer.role = 200;
  manifest.foreign_files.push_back(newer);
  fs.set_bytes(path, layout::encode_manifest(manifest));
  EXPECT_TRUE(verify_written(fs, kTarget));
  ASSERT_TRUE(replace_calibration(fs, kTarget, small_calibration()));
  manifest = manifest_of(fs);
  ASSERT_EQ(manifest.foreign_files.size(), 1U);
  EXPECT_EQ(manifest.foreign_files.front().number, newer.number);
  manifest.header.readable = 4;
  fs.set_bytes(path, layout::encode_manifest(manifest));
  const auto refused = replace_calibration(fs, kTarget, small_calibration());
  ASSERT_FALSE(refused);
  expect_error(refused.error(), ErrorCode::unsupported, {kTarget, "bits 4"});
}

}  // namespace
}  // namespace cairn::build
