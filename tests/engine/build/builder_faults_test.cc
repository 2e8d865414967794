// A build that cannot be finished: whatever fails and whenever it is cancelled, there is either a
// whole index or an error, and never anything in between; and the same call goes on from what was
// finished and ends with the same bytes as if nothing had happened.
#include <cairn/builder.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <random>

#include "engine/build/journal.h"
#include "engine/build/write_index.h"
#include "tests/engine/build/tiny_build.h"

namespace cairn::build {
namespace {

using namespace tiny;

TEST(BuilderFaults, TheBuildHasPartitionsDuplicatesAndSecondCopies) {
  EXPECT_GE(undisturbed().report.partitions, 3U);
  EXPECT_GT(undisturbed().report.duplicates, 5U);
  EXPECT_GT(undisturbed().report.copies, 1);
  EXPECT_GT(undisturbed().begun_records, 0U);
  EXPECT_EQ(undisturbed().files.size(), 8U) << "six files, MANIFEST and PINS";
}

/// Fails every operation in turn, once.
class EveryFailure : public ::testing::TestWithParam<int> {};

TEST_P(EveryFailure, IsGoneOnFrom) {
  const int error = GetParam();
  const std::uint64_t operations = undisturbed().operations.size();
  ASSERT_GT(operations, 100U);
  for (std::uint64_t at = 0; at < operations; ++at) {
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::partial, .error = error});
    const auto report = build_on(fs);
    const auto ran = fs.operations();
    if (at >= ran.size()) break;  // how often figures are taken depends on time
    const auto& [op, path, direct] = ran[at];
    SCOPED_TRACE("operation " + std::to_string(at) + ", " + std::string(sim::fs_op_name(op)) + " " +
                 path);
    const bool published = must(fs.exists(kTarget));
    if (report) {
      EXPECT_TRUE(published);
      EXPECT_TRUE(op == sim::FsOp::remove || op == sim::FsOp::list || op == sim::FsOp::file_bytes ||
                  op == sim::FsOp::is_pinned || path.starts_with("index/"))
          << "only tidying up and figures may fail unsaid";
      for (const auto& [name, bytes] : undisturbed().files)
        EXPECT_TRUE(fs.bytes(std::string(kTarget) + "/" + name) == bytes) << name;
      continue;
    }
    EXPECT_EQ(report.error().code, error == ENOSPC ? ErrorCode::no_space : ErrorCode::io)
        << report.error().to_string();
    if (published) {
      EXPECT_EQ(op, sim::FsOp::sync_dir) << "published, not synced";
      EXPECT_TRUE(files_of(fs) == undisturbed().files);
      continue;
    }
    EXPECT_EQ(must(fs.exists(kWork)), had_begun(fs, at)) << report.error().to_string();
    expect_goes_on(fs);
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, EveryFailure, ::testing::Values(ENOSPC, EIO));

/// And so does every operation of the call that goes on, wherever the first was cut off.
TEST(BuilderFaults, EveryFailureOfTheRunThatGoesOnIsGoneOnFrom) {
  const std::uint64_t calls = undisturbed().calls;
  for (const std::uint64_t stop : {calls / 2, calls - 4}) {
    const auto begin = [&](sim::SimFs& fs) {
      std::uint64_t call = 0;
      BuildOptions options = tiny::options();
      options.progress = [&](const BuildProgress&) { return call++ != stop; };
      EXPECT_FALSE(build_on(fs, options));
      return fs.operations().size();
    };
    std::uint64_t first = 0, end = 0;
    {
      sim::SimFs fs;
      first = begin(fs);
      must(build_on(fs));
      end = fs.operations().size();
    }
    for (std::uint64_t at = first; at < end; ++at) {
      sim::SimFs fs;
      begin(fs);
      const auto record = [&] {
        const auto done = fs.operations();
        return at < done.size() ? std::string(sim::fs_op_name(done[at].op)) + " " + done[at].path
                                : std::string();
      };
      fs.faults().add(
          sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::partial, .error = EIO});
      const auto report = build_on(fs);
      SCOPED_TRACE("operation " + std::to_string(at) + ", " + record());
      if (must(fs.exists(kTarget))) continue;
      ASSERT_FALSE(report);
      EXPECT_TRUE(must(fs.exists(kWork))) << "nothing that was finished is lost";
      EXPECT_NE(must(Journal::open(fs, kWork)).find(Unit::sample), nullptr);
      expect_goes_on(fs);
    }
  }
}

TEST(BuilderFaults, AFullDiskKeepsWhatItHas) {
  std::uint64_t kept = 0;
  for (std::uint64_t capacity = 0; capacity < undisturbed().report.disk_bytes; capacity += 1777) {
    SCOPED_TRACE("room for " + std::to_string(capacity) + " bytes");
    sim::SimFs fs;
    fs.set_capacity(capacity);
    const auto failed = build_on(fs);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::no_space) << failed.error().to_string();
    EXPECT_FALSE(must(fs.exists(kTarget)));
    kept += must(fs.exists(kWork)) ? 1U : 0U;
    fs.set_capacity(std::uint64_t{1} << 40);
    expect_goes_on(fs);
  }
  EXPECT_GT(kept, 0U);
}

/// A loss of power at any moment, whatever it does to what was not synced.
TEST(BuilderFaults, ALossOfPowerCostsAUnitAtMost) {
  const auto& operations = undisturbed().operations;
  std::uint64_t published = 0;
  for (std::uint64_t at = 0; at <= operations.size(); ++at) {
    SCOPED_TRACE("power lost before operation " + std::to_string(at));
    sim::SimFs fs;
    fs.faults().add(
        sim::FsFault{.when = {.at = at}, .kind = sim::FsFault::Kind::power_off, .error = EIO});
    const bool reported = static_cast<bool>(build_on(fs));
    const std::size_t pending = fs.pending().size();
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      SCOPED_TRACE("fates of seed " + std::to_string(seed));
      std::mt19937_64 random(seed + at);
      std::vector<sim::Fate> fates(pending, seed == 0 ? sim::Fate::lost : sim::Fate::whole);
      if (seed > 1)
        for (sim::Fate& fate : fates) fate = static_cast<sim::Fate>(random() % 4);
      const auto after = fs.after_power_loss(fates, seed);
      const bool there = must(after->exists(kTarget));
      published += there ? 1U : 0U;
      EXPECT_TRUE(there || !reported) << "a build that was reported is durable";
      if (there) {
        EXPECT_TRUE(verify_written(*after, kTarget));
        Files left = files_of(*after);
        left.erase("LOCK");
        left.erase("JOURNAL");
        EXPECT_TRUE(left == undisturbed().files) << "temporary files are back";
        continue;
      }
      if (had_begun(fs, at)) {
        ASSERT_TRUE(must(after->exists(kWork))) << "what was finished is lost";
        EXPECT_GE(must(Journal::open(*after, kWork)).size(), records_before(fs.operations(), at));
      }
      expect_goes_on(*after);
    }
  }
  EXPECT_GT(published, 0U);
}

TEST(BuilderFaults, PowerMayGoAgainAndAgain) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto fs = std::make_unique<sim::SimFs>();
    for (int round = 0; round < 12 && !must(fs->exists(kTarget)); ++round) {
      fs->faults().add(sim::FsFault{.when = {.at = fs->operations().size() + random() % 120},
                                    .kind = sim::FsFault::Kind::power_off,
                                    .error = EIO});
      static_cast<void>(build_on(*fs));
      std::vector<sim::Fate> fates(fs->pending().size());
      for (sim::Fate& fate : fates) fate = static_cast<sim::Fate>(random() % 4);
      fs = fs->after_power_loss(fates, seed);
    }
    if (!must(fs->exists(kTarget))) {
      expect_goes_on(*fs);
    } else {
      for (const auto& [name, bytes] : undisturbed().files)
        EXPECT_TRUE(fs->bytes(std::string(kTarget) + "/" + name) == bytes) << name;
    }
  }
}

TEST(BuilderFaults, ReadBackSeesWhatTheDiskGotWrong) {
  using Kind = sim::ReadFault::Kind;
  for (const Kind kind : {Kind::error, Kind::bit_flip, Kind::zeros})
    for (const char* file : {"000001.blocks", "000002.codes", "000004.nav", "000006.labels"}) {
      SCOPED_TRACE(std::string(sim::read_fault_name(kind)) + " in " + file);
      sim::SimFs fs;
      fs.faults().add(sim::ReadFault{.when = {.path_contains = file}, .kind = kind});
      const auto report = build_on(fs);
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, kind == Kind::error ? ErrorCode::io : ErrorCode::corrupt);
      EXPECT_NE(report.error().file.find(file), std::string::npos) << report.error().to_string();
      EXPECT_FALSE(must(fs.exists(kTarget)));
      expect_goes_on(fs);  // it was the way back, not the disk
    }
}

TEST(BuilderFaults, WhatComesBackWrongOfATemporaryFileIsAnError) {
  using Kind = sim::ReadFault::Kind;
  for (const Kind kind : {Kind::error, Kind::bit_flip, Kind::zeros, Kind::wrong_block})
    for (const char* file : {"core-0-", "second-0-", "slots-1", "lists-1", "inbox-", "graph-1",
                             "entries-1", "labels-0"}) {
      SCOPED_TRACE(std::string(sim::read_fault_name(kind)) + " in " + file);
      sim::SimFs fs;
      fs.faults().add(sim::ReadFault{.when = {.path_contains = file}, .kind = kind});
      const auto report = build_on(fs);
      if (report && kind == Kind::wrong_block) continue;  // of one page there is no other
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, kind == Kind::error ? ErrorCode::io : ErrorCode::corrupt);
      EXPECT_NE(report.error().file.find(file), std::string::npos) << report.error().to_string();
      expect_goes_on(fs);
    }
}

TEST(BuilderFaults, CancelledAnywhereGoesOn) {
  const std::uint64_t calls = undisturbed().calls;
  ASSERT_GT(calls, 25U);
  for (std::uint64_t stop = 0; stop < calls; ++stop) {
    SCOPED_TRACE("cancelled at call " + std::to_string(stop));
    std::uint64_t call = 0;
    BuildOptions options = tiny::options();
    options.progress = [&](const BuildProgress&) { return call++ != stop; };
    sim::SimFs fs;
    const auto report = build_on(fs, options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::cancelled) << report.error().to_string();
    EXPECT_FALSE(must(fs.exists(kTarget)));
    expect_goes_on(fs);
  }
}

TEST(BuilderFaults, ACallbackThatThrowsCostsNothingThatIsFinished) {
  std::uint64_t call = 0;
  BuildOptions options = tiny::options();
  options.progress = [&](const BuildProgress&) -> bool {
    if (++call == undisturbed().calls / 2) throw std::runtime_error("no more");
    return true;
  };
  sim::SimFs fs;
  const auto report = build_on(fs, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::cancelled);
  EXPECT_NE(must(Journal::open(fs, kWork)).find(Unit::sample), nullptr);
  expect_goes_on(fs);
}

TEST(BuilderFaults, LimitOfARealFileSystemIsGoneOnFrom) {
  const ScratchDir dir;
  const Rows rows = random_rows(1000, 64, DType::u8, 1);
  const int child = io::in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
    RowsSource source(rows);
    const auto report = cairn::build_index(dir.file("index"), source, tiny::options());
    if (report) return 5;
    if (report.error().code == ErrorCode::over_limit) return 0;
    std::fprintf(stderr, "%s\n", report.error().to_string().c_str());
    return 6;
  });
  EXPECT_EQ(child, 0);
  EXPECT_EQ(must(io::posix_fs().list(dir.path())), std::vector<std::string>{"index.building"});
  RowsSource source(rows);
  must(cairn::build_index(dir.file("index"), source, tiny::options()));
  expect_whole(read_index(dir.file("index")), rows, {});
  EXPECT_EQ(must(io::posix_fs().list(dir.path())), std::vector<std::string>{"index"});
}

}  // namespace
}  // namespace cairn::build
