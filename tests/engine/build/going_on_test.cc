// When a build goes on from what an earlier one left, and when it must not.
#include <cairn/builder.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "engine/build/builder_fs.h"
#include "engine/build/journal.h"
#include "engine/build/write_index.h"
#include "tests/engine/build/tiny_build.h"

namespace cairn::build {
namespace {

using namespace tiny;

/// A folder in which a build was cancelled in the middle.
std::unique_ptr<sim::SimFs> half_built() {
  auto fs = std::make_unique<sim::SimFs>();
  BuildOptions options = tiny::options();
  options.progress = [&](const BuildProgress& progress) { return progress.phase != "merge"; };
  EXPECT_FALSE(build_on(*fs, options));
  EXPECT_TRUE(must(fs->exists(kWork)));
  return fs;
}

TEST(GoingOn, DoesNotDoAgainWhatIsFinished) {
  const auto fs = half_built();
  RowsSource source = source_of();
  source.before_read = [](std::uint64_t) { ADD_FAILURE() << "the input was read before"; };
  std::vector<std::string> lines;
  BuildOptions options = tiny::options();
  options.log = [&](const std::string& line) { lines.push_back(line); };
  ASSERT_TRUE(build_index(*fs, kTarget, source, options));
  EXPECT_TRUE(files_of(*fs) == undisturbed().files);
  EXPECT_TRUE(std::ranges::any_of(
      lines, [](const std::string& line) { return line.starts_with("goes on: "); }));
}

TEST(GoingOn, LooksAtTheInputAgainWhenItMayHaveChanged) {
  const auto fs = half_built();
  RowsSource source = source_of();
  source.stamp_now = 2;
  std::uint64_t reads = 0;
  source.before_read = [&](std::uint64_t) { ++reads; };
  ASSERT_TRUE(build_index(*fs, kTarget, source, tiny::options()));
  EXPECT_GT(reads, 0U);
  EXPECT_TRUE(files_of(*fs) == undisturbed().files);
}

TEST(GoingOn, RefusesAnInputThatHasChanged) {
  for (const bool label : {false, true}) {
    const auto fs = half_built();
    RowsSource source = source_of();
    source.stamp_now = 2;
    if (label) {
      source.labels[3] = 123'456;
    } else {
      source.rows.row(149)[0] ^= std::byte{1};
    }
    const auto report = build_index(*fs, kTarget, source, tiny::options());
    ASSERT_FALSE(report);
    expect_error(report.error(), ErrorCode::already_exists, {"changed", "row 0"});
    expect_goes_on(*fs);  // with the vectors that it was begun with
  }
}

TEST(GoingOn, RefusesOtherOptions) {
  const auto fs = half_built();
  const auto refused = [&](const auto& change) {
    BuildOptions options = tiny::options();
    change(options);
    const auto report = build_on(*fs, options);
    ASSERT_FALSE(report);
    expect_error(report.error(), ErrorCode::already_exists, {"other options", kWork, "fresh"});
  };
  refused([](BuildOptions& options) { options.degree = 9; });
  refused([](BuildOptions& options) { options.metric = Metric::ip; });
  refused([](BuildOptions& options) { options.seed = 2; });
  refused([](BuildOptions& options) { options.partitions = 2; });
  refused([](BuildOptions& options) { options.refine_bytes = 0; });
  refused([](BuildOptions& options) { options.alpha = 1.3; });
  RowsSource fewer(random_rows(100, 3, DType::u8, 1), std::span(input().labels).first(100));
  EXPECT_FALSE(build_index(*fs, kTarget, fewer, tiny::options()));
  // These make no other bytes.
  BuildOptions options = tiny::options();
  options.threads = 4;
  options.memory_bytes *= 2;
  expect_goes_on(*fs, options);
}

TEST(GoingOn, StartsAnewWhenToldSo) {
  const auto fs = half_built();
  BuildOptions options = tiny::options();
  options.fresh = true;
  expect_goes_on(*fs, options);
  // And with other options, which would be refused.
  const auto other = half_built();
  options.seed = 5;
  ASSERT_TRUE(build_on(*other, options));
  EXPECT_TRUE(verify_written(*other, kTarget));
  EXPECT_FALSE(files_of(*other) == undisturbed().files);
}

/// Power is lost while what an earlier run left is dropped: no half of it is taken for a build.
TEST(GoingOn, StartsAnewThoughPowerIsLostInBetween) {
  std::uint64_t first = 0;
  for (std::uint64_t at = 0;; ++at) {
    SCOPED_TRACE("power lost before operation " + std::to_string(at) + " of the fresh build");
    const auto fs = half_built();
    first = fs->operations().size();
    fs->faults().add(sim::FsFault{
        .when = {.at = first + at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    BuildOptions options = tiny::options();
    options.fresh = true;
    if (build_on(*fs, options)) break;
    std::mt19937_64 random(at);
    for (int seed = 0; seed < 3; ++seed) {
      std::vector<sim::Fate> fates(fs->pending().size());
      for (sim::Fate& fate : fates)
        fate = seed == 0 ? sim::Fate::whole : random() % 2 ? sim::Fate::whole : sim::Fate::lost;
      const auto after = fs->after_power_loss(fates, at);
      if (!must(after->exists(kTarget))) expect_goes_on(*after);
    }
    if (at > 60) at += 9;
  }
}

// Only parameters are there, as after a crash in the first pass: other ones are no conflict.
TEST(GoingOn, NothingWasBegunBeforeTheFirstPassWasDone) {
  for (std::uint64_t records = 1; records < undisturbed().begun_records; ++records) {
    std::uint64_t at = 0;
    while (records_before(undisturbed().operations, at) < records) ++at;
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    EXPECT_FALSE(build_on(fs));
    const std::vector<sim::Fate> fates(fs.pending().size(), sim::Fate::lost);
    const auto after = fs.after_power_loss(fates, 1);
    ASSERT_EQ(must(Journal::open(*after, kWork)).size(), records);
    BuildOptions options = tiny::options();
    options.seed = 9;
    const auto report = build_on(*after, options);
    EXPECT_TRUE(report) << report.error().to_string();
  }
}

TEST(GoingOn, NamesWhereTheInputChangedUnderTheBuilder) {
  sim::SimFs fs;
  RowsSource source = source_of();
  std::uint64_t reads = 0;
  source.before_read = [&](std::uint64_t) {
    if (reads++ == 1) source.rows.row(7)[1] ^= std::byte{1};
  };
  const auto report = build_index(fs, kTarget, source, tiny::options());
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::already_exists, {"changed", "row 0"});
  expect_goes_on(fs);
}

TEST(GoingOn, LeavesNothingOfVectorsThatCannotBeBuilt) {
  sim::SimFs fs;
  RowsSource source = source_of();
  source.labels[140] = source.labels[20];
  const auto report = build_index(fs, kTarget, source, tiny::options());
  ASSERT_FALSE(report);
  expect_error(report.error(), ErrorCode::invalid_argument, {"label", "row 20 and row 140"});
  EXPECT_FALSE(must(fs.exists(kWork)));
  expect_goes_on(fs);
}

// ---- vectors that are handed over

Result<BuildReport> add_and_finish(io::Fs& fs, std::uint64_t batch,
                                   const BuildOptions& options = tiny::options()) {
  const Rows& rows = input().rows;
  CAIRN_ASSIGN(auto builder, create_builder(fs, kTarget, rows.dim, rows.dtype, options));
  for (std::uint64_t at = builder->added(); at < rows.count(); at += batch) {
    const std::uint64_t n = std::min(batch, rows.count() - at);
    CAIRN_TRY(builder->add({rows.batch().row(at).data, n, rows.dim, rows.dtype},
                           std::span<const Label>(input().labels).subspan(at, n)));
  }
  EXPECT_EQ(builder->added(), rows.count());
  return builder->finish();
}

TEST(Adding, GivesTheBytesOfABuildFromASource) {
  for (const std::uint64_t batch : {1U, 40U, 150U}) {
    sim::SimFs fs;
    must(add_and_finish(fs, batch));
    EXPECT_TRUE(files_of(fs) == undisturbed().files) << "batches of " << batch;
    EXPECT_FALSE(must(fs.exists(kWork)));
  }
}

TEST(Adding, GoesOnAfterALossOfPower) {
  std::vector<sim::OpRecord> operations;
  {
    sim::SimFs fs;
    must(add_and_finish(fs, 40));
    operations = fs.operations();
  }
  for (std::uint64_t at = 0; at < operations.size(); at += at < 40 ? 1 : 3) {
    SCOPED_TRACE("power lost before operation " + std::to_string(at));
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    static_cast<void>(add_and_finish(fs, 40));
    std::mt19937_64 random(at);
    std::vector<sim::Fate> fates(fs.pending().size());
    for (sim::Fate& fate : fates) fate = static_cast<sim::Fate>(random() % 4);
    const auto after = fs.after_power_loss(fates, at);
    if (!must(after->exists(kTarget))) {
      const auto report = add_and_finish(*after, 70);
      ASSERT_TRUE(report) << report.error().to_string();
    }
    for (const auto& [name, bytes] : undisturbed().files)
      EXPECT_TRUE(after->bytes(std::string(kTarget) + "/" + name) == bytes) << name;
  }
}

TEST(Adding, IsOverOnceItWasFinished) {
  sim::SimFs fs;
  BuildOptions options = tiny::options();
  options.progress = [](const BuildProgress& progress) { return progress.phase != "link"; };
  EXPECT_FALSE(add_and_finish(fs, 50, options));
  auto builder = must(create_builder(fs, kTarget, 3, DType::u8, tiny::options()));
  EXPECT_EQ(builder->added(), 150U);
  const Status more = builder->add(input().rows.batch(), input().labels);
  ASSERT_FALSE(more);
  expect_error(more.error(), ErrorCode::invalid_argument, {"were all added"});
  must(builder->finish());
  EXPECT_TRUE(files_of(fs) == undisturbed().files);
}

TEST(Adding, ThatIsGivenUpLeavesNothing) {
  sim::SimFs fs;
  {
    auto builder = must(create_builder(fs, kTarget, 3, DType::u8, tiny::options()));
    ASSERT_TRUE(ok(builder->add(input().rows.batch(), input().labels)));
  }
  EXPECT_FALSE(must(fs.exists(kWork)));
}

}  // namespace
}  // namespace cairn::build
