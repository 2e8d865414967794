// A build that cannot be finished: whatever fails and whenever it is cancelled, there is either a
// whole index or an error, and never anything in between.
#include <cairn/builder.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <random>

#include "engine/build/builder_fs.h"
#include "engine/build/write_index.h"
#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

constexpr char kTarget[] = "index";
constexpr char kWork[] = "index.building";

BuildOptions tiny_options() {
  BuildOptions options;
  options.degree = 8;
  options.code_bytes = 2;
  options.refine_bytes = 2;
  options.threads = 1;
  return options;
}

Result<BuildReport> build_on(io::Fs& fs, const Rows& rows, const BuildOptions& options) {
  CAIRN_ASSIGN(auto builder, create_builder(fs, kTarget, rows.dim, rows.dtype, options));
  CAIRN_TRY(builder->add(rows.batch()));
  return builder->finish();
}

bool is_whole(io::Fs& fs) { return static_cast<bool>(verify_written(fs, kTarget)); }

const Rows& tiny_rows() {
  static const Rows rows = random_rows(80, 3, DType::u8, 1);
  return rows;
}

std::vector<sim::OpRecord> operations_of_a_build() {
  sim::SimFs fs;
  must(build_on(fs, tiny_rows(), tiny_options()));
  return fs.operations();
}

/// Fails every operation in turn, once.
class EveryFailure : public ::testing::TestWithParam<int> {};

TEST_P(EveryFailure, LeavesNothingOrAWholeIndex) {
  const int error = GetParam();
  const std::vector<sim::OpRecord> operations = operations_of_a_build();
  ASSERT_GT(operations.size(), 40U);
  for (std::uint64_t at = 0; at < operations.size(); ++at) {
    const auto& [op, path] = operations[at];
    SCOPED_TRACE("operation " + std::to_string(at) + ", " + std::string(sim::fs_op_name(op)) + " " +
                 path);
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::partial, .error = error});
    const auto report = build_on(fs, tiny_rows(), tiny_options());
    const bool published = must(fs.exists(kTarget));
    EXPECT_TRUE(!published || is_whole(fs));
    if (report) {
      EXPECT_TRUE(published);
      EXPECT_EQ(op, sim::FsOp::remove) << "only tidying up may fail unsaid";
      continue;
    }
    EXPECT_EQ(report.error().code, error == ENOSPC ? ErrorCode::no_space : ErrorCode::io)
        << report.error().to_string();
    EXPECT_EQ(published, op == sim::FsOp::sync_dir && path != kWork) << "published, not synced";
    EXPECT_FALSE(must(fs.exists(kWork))) << report.error().to_string();
    if (published) continue;
    must(build_on(fs, tiny_rows(), tiny_options()));
    EXPECT_TRUE(is_whole(fs));
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, EveryFailure, ::testing::Values(ENOSPC, EIO));

TEST(BuilderFaults, FullDiskLeavesNothing) {
  sim::SimFs whole;
  const BuildReport report = must(build_on(whole, tiny_rows(), tiny_options()));
  for (std::uint64_t capacity = 0; capacity < report.disk_bytes; capacity += 1777) {
    SCOPED_TRACE("room for " + std::to_string(capacity) + " bytes");
    sim::SimFs fs;
    fs.set_capacity(capacity);
    const auto failed = build_on(fs, tiny_rows(), tiny_options());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::no_space) << failed.error().to_string();
    EXPECT_FALSE(must(fs.exists(kWork)));
    EXPECT_FALSE(must(fs.exists(kTarget)));
  }
}

/// A loss of power at any moment, whatever it does to what was not synced.
TEST(BuilderFaults, LossOfPowerLeavesNothingOrAWholeIndex) {
  const std::vector<sim::OpRecord> operations = operations_of_a_build();
  std::uint64_t published = 0;
  for (std::uint64_t at = 0; at <= operations.size(); ++at) {
    SCOPED_TRACE("power lost before operation " + std::to_string(at));
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    const bool reported = static_cast<bool>(build_on(fs, tiny_rows(), tiny_options()));
    const std::size_t pending = fs.pending().size();
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE("fates of seed " + std::to_string(seed));
      std::mt19937_64 random(seed);
      std::vector<sim::Fate> fates(pending, seed == 0 ? sim::Fate::lost : sim::Fate::whole);
      if (seed > 1)
        for (sim::Fate& fate : fates) fate = static_cast<sim::Fate>(random() % 4);
      const auto after = fs.after_power_loss(fates, seed);
      const bool there = must(after->exists(kTarget));
      published += there ? 1U : 0U;
      EXPECT_TRUE(there || !reported) << "a build that was reported is durable";
      if (there) {
        EXPECT_TRUE(is_whole(*after));
      } else {
        must(build_on(*after, tiny_rows(), tiny_options()));  // the next build goes well
      }
    }
  }
  EXPECT_GT(published, 0U);
}

TEST(BuilderFaults, ReadBackSeesWhatTheDiskGotWrong) {
  using Kind = sim::ReadFault::Kind;
  for (const Kind kind : {Kind::error, Kind::bit_flip, Kind::zeros})
    for (const char* file : {"000001.blocks", "000002.codes", "000004.nav", "000006.labels"}) {
      SCOPED_TRACE(std::string(sim::read_fault_name(kind)) + " in " + file);
      sim::SimFs fs;
      fs.faults().add(sim::ReadFault{.when = {.path_contains = file}, .kind = kind});
      const Rows rows = random_rows(1000, 16, DType::u8, 2);
      const auto report = build_on(fs, rows, tiny_options());
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, kind == Kind::error ? ErrorCode::io : ErrorCode::corrupt);
      EXPECT_NE(report.error().file.find(file), std::string::npos) << report.error().to_string();
      EXPECT_FALSE(must(fs.exists(kTarget)));
      EXPECT_FALSE(must(fs.exists(kWork)));
    }
}

TEST(BuilderFaults, CancelledAnywhereLeavesNothing) {
  std::uint64_t calls = 0;
  BuildOptions options = tiny_options();
  options.progress = [&](const BuildProgress&) {
    ++calls;
    return true;
  };
  {
    sim::SimFs fs;
    must(build_on(fs, tiny_rows(), options));
  }
  ASSERT_GT(calls, 15U);
  for (std::uint64_t stop = 0; stop < calls; ++stop) {
    SCOPED_TRACE("cancelled at call " + std::to_string(stop));
    std::uint64_t call = 0;
    options.progress = [&](const BuildProgress&) { return call++ != stop; };
    sim::SimFs fs;
    const auto report = build_on(fs, tiny_rows(), options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::cancelled) << report.error().to_string();
    EXPECT_FALSE(must(fs.exists(kTarget)));
    EXPECT_FALSE(must(fs.exists(kWork)));
  }
}

TEST(BuilderFaults, LimitOfARealFileSystemLeavesNothing) {
  const ScratchDir dir;
  const int child = io::in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20000, 20000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
    auto builder = must(Builder::create(dir.file("index"), 64, DType::u8, tiny_options()));
    if (!builder->add(random_rows(1000, 64, DType::u8, 1).batch())) return 4;
    const auto report = builder->finish();
    if (report) return 5;
    return report.error().code == ErrorCode::over_limit ? 0 : 6;
  });
  EXPECT_EQ(child, 0);
  EXPECT_TRUE(must(io::posix_fs().list(dir.path())).empty());
}

}  // namespace
}  // namespace cairn::build
