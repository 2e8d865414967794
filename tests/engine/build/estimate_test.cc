#include "engine/build/estimate.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/build/spool.h"
#include "io/forwarding_fs.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

constexpr std::uint64_t kMeasured = 8192, kPlanned = 2'000'000;

/// A disk that takes its time to say that bytes are safe.
class SlowSyncs final : public io::ForwardingFs {
 public:
  explicit SlowSyncs(std::chrono::milliseconds delay)
      : io::ForwardingFs(io::posix_fs()), delay_(delay) {}
  Result<std::unique_ptr<io::WriteFile>> create(const std::string& path,
                                                io::WriteMode mode) override {
    CAIRN_ASSIGN(auto file, io::ForwardingFs::create(path, mode));
    return std::make_unique<File>(std::move(file), delay_);
  }
  Status sync_dir(const std::string& path) override {
    std::this_thread::sleep_for(delay_);
    return io::ForwardingFs::sync_dir(path);
  }

 private:
  class File final : public io::ForwardingWriteFile {
   public:
    File(std::unique_ptr<io::WriteFile> to, std::chrono::milliseconds delay)
        : io::ForwardingWriteFile(std::move(to)), delay_(delay) {}
    Status sync() override {
      std::this_thread::sleep_for(delay_);
      return io::ForwardingWriteFile::sync();
    }

   private:
    std::chrono::milliseconds delay_;
  };
  std::chrono::milliseconds delay_;
};

/// A disk with room for anything.
class RoomyFs final : public io::ForwardingFs {
 public:
  RoomyFs() : io::ForwardingFs(io::posix_fs()) {}
  Result<std::uint64_t> free_bytes(const std::string&) override { return std::uint64_t{1} << 60; }
};

BuildOptions complete_options() {
  BuildOptions options;
  options.calibration_rows = 0;
  options.refine_bytes = options.code_bytes = 8;
  options.threads = 2;
  options.memory_bytes = std::uint64_t{1} << 30;
  return options;
}

BuildPlan plan_with(std::chrono::milliseconds delay) {
  const ScratchDir scratch;
  SlowSyncs fs(delay);
  RowsSource source(random_rows(kMeasured, 16, DType::u8, 1));
  return must(make_plan(fs, scratch.file("index"), source, complete_options(), kPlanned, true));
}

const BuildPlan::Phase& phase(const BuildPlan& plan, std::string_view name) {
  return *std::ranges::find(plan.phases, name, &BuildPlan::Phase::name);
}

TEST(Estimate, WaitsForTheDiskOnceAFileNotOnceAVector) {
  // Long enough to outweigh the work of a slow and busy machine: scaled by vectors, the five waits
  // of the trial's scatter would be 1200.
  constexpr std::chrono::milliseconds kDelay{25};
  const BuildPlan slow = plan_with(kDelay);
  // One unit writes two files for each of eight groups, and a record; the measured one wrote
  // a quarter of that for 1/244 of the vectors.
  EXPECT_EQ(phase(slow, "scatter").units, 1U);
  const double seconds = phase(slow, "scatter").seconds;
  EXPECT_GT(seconds, 10 * std::chrono::duration<double>(kDelay).count());
  EXPECT_LT(seconds, 600 * std::chrono::duration<double>(kDelay).count());
}

/// The finished index is opened to measure its recall: codes and edges of 2M vectors are more than
/// a partition of theirs takes.
TEST(Estimate, CountsTheIndexThatRecallIsMeasuredOn) {
  const auto planned = [](BuildOptions options) {
    const ScratchDir scratch;
    RowsSource source(random_rows(kMeasured, 16, DType::u8, 1));
    return must(make_plan(io::posix_fs(), scratch.file("index"), source, options, kPlanned, true))
        .memory_bytes;
  };
  BuildOptions options = complete_options();
  const std::uint64_t without = planned(options);
  options.calibration_rows = 100;
  const std::uint64_t with = planned(options);
  EXPECT_GT(with, without);
  EXPECT_GT(with, kPlanned * (options.code_bytes + *options.refine_bytes));
  EXPECT_LE(with, options.memory_bytes);
}

TEST(Estimate, SizesOfTheLargestIndexDoNotWrap) {
  const ScratchDir scratch;
  RoomyFs fs;
  BuildOptions options = complete_options();
  options.memory_bytes = std::uint64_t{1} << 40;
  for (const std::uint32_t dim : {4096U, kDimMax}) {
    SCOPED_TRACE(dim);
    RowsSource source(random_rows(16, dim, DType::f32, 1));
    const auto plan_of = [&](std::uint64_t count) {
      return must(make_plan(fs, scratch.file("index"), source, options, count, false));
    };
    const BuildPlan half = plan_of(kRowsMax / 2), whole = plan_of(kRowsMax);
    const double rows = static_cast<double>(kRowsMax) * dim * sizeof(float);
    EXPECT_GT(static_cast<double>(whole.index_bytes), rows);
    EXPECT_LT(static_cast<double>(whole.index_bytes), 1.5 * rows);
    EXPECT_GE(whole.disk_bytes, whole.index_bytes);
    EXPECT_NEAR(static_cast<double>(whole.index_bytes) / static_cast<double>(half.index_bytes), 2,
                0.01);
    EXPECT_NEAR(static_cast<double>(whole.disk_bytes) / static_cast<double>(half.disk_bytes), 2,
                0.01);
    EXPECT_LE(whole.memory_min_bytes, whole.memory_bytes);
    EXPECT_LE(whole.memory_bytes, options.memory_bytes);
    EXPECT_GE(whole.partitions, half.partitions);
  }
}

TEST(Estimate, LeavesNothingBehindNorWhatAKilledOneLeft) {
  const ScratchDir scratch;
  const std::string killed = scratch.file("index.calibration.building");
  ASSERT_TRUE(ok(io::posix_fs().make_dir(killed)));
  ASSERT_TRUE(io::posix_fs().create(killed + "/core-0-0.part"));
  RowsSource source(random_rows(kMeasured, 16, DType::u8, 1));
  ASSERT_TRUE(
      make_plan(io::posix_fs(), scratch.file("index"), source, complete_options(), kPlanned, true));
  EXPECT_TRUE(must(io::posix_fs().list(scratch.path())).empty());
}

}  // namespace
}  // namespace cairn::build
