#include "tests/sim/sim_fs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "tests/io/io_test_util.h"

namespace cairn::sim {
namespace {

using io::must;
using io::ok;

std::vector<std::byte> filled(std::size_t bytes, int value) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

// One line that says what an operation gave: values, or the cause of the failure.
std::string told(const Status& status) {
  return status ? "ok" : std::string(error_name(status.error().code));
}
template <class T>
std::string told_of(const Result<T>& result) {
  return result ? "ok" : std::string(error_name(result.error().code));
}
std::string told_list(const Result<std::vector<std::string>>& names) {
  if (!names) return std::string(error_name(names.error().code));
  std::string line;
  for (const std::string& name : *names) line += name + ",";
  return line;
}

// A random step on a small set of names; what it gave.
std::string step(io::Fs& fs, const std::string& root, std::mt19937_64& random) {
  const std::vector<std::string> names = {"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "none/a"};
  const std::string one = root + "/" + names[random() % names.size()];
  const std::string two = root + "/" + names[random() % names.size()];
  switch (random() % 12) {
    case 0: {
      const std::size_t bytes = random() % 9000;
      auto file = fs.create(one, bytes % 2 == 0 ? io::WriteMode::buffered : io::WriteMode::direct);
      if (!file) return "create " + told_of(file);
      return "create " + told((*file)->append(filled(bytes, 7))) + told((*file)->sync()) +
             told((*file)->close()) + told((*file)->close());
    }
    case 1:
      return "make_dir " + told(fs.make_dir(one));
    case 2:
      return "rename " + told(fs.rename(one, two));
    case 3:
      return "rename_new " + told(fs.rename_new(one, two));
    case 4:
      return "remove " + told(fs.remove(one));
    case 5:
      return "sync_dir " + told(fs.sync_dir(one));
    case 6:
      return "list " + told_list(fs.list(one));
    case 7:
      return "exists " + std::to_string(must(fs.exists(one)));
    case 8: {
      const std::uint64_t length = random() % 9000;
      auto file = fs.reopen(one, length, io::WriteMode::direct);
      if (!file) return "reopen " + told_of(file);
      return "reopen " + std::to_string((*file)->bytes_written()) +
             told((*file)->append(filled(random() % 9000, 8))) + told((*file)->sync()) +
             std::to_string((*file)->bytes_written()) + told((*file)->close());
    }
    case 9: {
      const auto bytes = fs.file_bytes(one);
      return "file_bytes " + (bytes ? std::to_string(*bytes) : told_of(bytes));
    }
    case 10:
      return "free_bytes " + told_of(fs.free_bytes(one));
    default: {
      const bool direct = random() % 2 == 0;
      const std::uint64_t offset = random() % 3 * 4096;
      auto file = fs.open(one, direct);
      if (!file) return "open " + told_of(file);
      io::AlignedBytes into(4096);
      return "open " + std::to_string((*file)->bytes()) + told((*file)->read(offset, into.span()));
    }
  }
}

// The simulated file system must answer as the real one does, or tests on it prove nothing.
TEST(SimFs, AnswersAsTheRealOneDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const io::ScratchDir dir;
    SimFs sim;
    ASSERT_TRUE(ok(sim.make_dir("r")));
    std::mt19937_64 real_random(seed);
    std::mt19937_64 sim_random(seed);
    for (int i = 0; i < 150; ++i) {
      const std::string real = step(io::posix_fs(), dir.path(), real_random);
      ASSERT_EQ(step(sim, "r", sim_random), real) << "step " << i;
    }
  }
}

TEST(SimFs, CountsAndFailsTheNumberedOperation) {
  SimFs clean;
  const auto run = [](SimFs& fs) {
    Status last;
    auto file = fs.create("a");
    if (!file) return std::string("create");
    if (!(*file)->append(filled(10, 1))) return std::string("append");
    if (!(*file)->sync()) return std::string("sync");
    if (!(*file)->close()) return std::string("close");
    if (!fs.rename("a", "b")) return std::string("rename");
    return std::string(fs.sync_dir(".") ? "none" : "sync_dir");
  };
  EXPECT_EQ(run(clean), "none");
  const auto operations = clean.operations();
  ASSERT_EQ(operations.size(), 6u);
  for (std::uint64_t at = 0; at < operations.size(); ++at) {
    SimFs fs;
    fs.faults().add(FsFault{.when = {.at = at}, .error = EIO});
    EXPECT_EQ(run(fs), fs_op_name(operations[at].op));
  }
}

TEST(SimFs, FailedSyncPoisonsTheWriterAndRisksTheBytes) {
  SimFs fs;
  auto file = must(fs.create("a"));
  ASSERT_TRUE(ok(fs.sync_dir(".")));
  fs.faults().add(FsFault{.op = FsOp::sync, .error = EIO});
  ASSERT_TRUE(ok(file->append(filled(100, 1))));
  const Status first = file->sync();
  ASSERT_FALSE(first);
  // No second sync reaches the disk: the writer gives its first error and asks nobody.
  const std::size_t operations = fs.operations().size();
  EXPECT_EQ(file->sync().error().to_string(), first.error().to_string());
  EXPECT_EQ(file->append(filled(1, 1)).error().to_string(), first.error().to_string());
  EXPECT_FALSE(file->close());
  EXPECT_EQ(fs.operations().size(), operations);
  const std::vector<Fate> lost(fs.pending().size(), Fate::lost);
  EXPECT_TRUE(fs.after_power_loss(lost, 1)->bytes("a").empty());
}

TEST(SimFs, PowerOffStopsEverythingAndKeepsTheMoment) {
  SimFs fs;
  fs.faults().add(FsFault{.when = {.at = 3}, .kind = FsFault::Kind::power_off});
  auto file = must(fs.create("a"));
  ASSERT_TRUE(ok(file->append(filled(10, 1))));
  ASSERT_TRUE(ok(file->sync()));
  EXPECT_EQ(fs.sync_dir(".").error().code, ErrorCode::io);
  EXPECT_FALSE(fs.create("b"));
  EXPECT_FALSE(fs.list("."));
  ASSERT_EQ(fs.pending().size(), 1u);
  EXPECT_FALSE(must(fs.after_power_loss(std::vector{Fate::lost}, 1)->exists("a")));
  const auto kept = fs.after_power_loss(std::vector{Fate::whole}, 1);
  EXPECT_EQ(kept->bytes("a"), filled(10, 1));
  EXPECT_TRUE(ok(kept->rename("a", "b"))) << "the disk after the loss works again";
}

TEST(SimFs, FullDiskWritesWhatFitsAndThenFails) {
  SimFs fs;
  fs.set_capacity(1500);
  auto file = must(fs.create("a"));
  ASSERT_TRUE(ok(file->append(filled(1000, 1))));
  EXPECT_EQ(file->append(filled(1000, 2)).error().code, ErrorCode::no_space);
  EXPECT_EQ(file->bytes_written(), 1500u);
  EXPECT_EQ(file->append(filled(1, 1)).error().code, ErrorCode::no_space) << "poisoned";
  auto other = must(fs.create("b"));
  ASSERT_TRUE(ok(fs.remove("a")));
  EXPECT_TRUE(ok(other->append(filled(1500, 3))));
}

TEST(SimFs, FreeBytesAreWhatAppendsTakeAndCutsAndRemovalsReturn) {
  SimFs fs;
  EXPECT_GT(must(fs.free_bytes(".")), std::uint64_t{1} << 62);
  fs.set_capacity(1500);
  auto file = must(fs.create("a"));
  ASSERT_TRUE(ok(file->append(filled(1000, 1))));
  EXPECT_EQ(must(fs.free_bytes(".")), 500u);
  file = must(fs.reopen("a", 300, io::WriteMode::buffered));
  EXPECT_EQ(must(fs.free_bytes(".")), 1200u);
  ASSERT_TRUE(ok(file->append(filled(1200, 2))));
  EXPECT_FALSE(file->append(filled(1, 2)));
  ASSERT_TRUE(ok(fs.remove("a")));
  EXPECT_EQ(must(fs.free_bytes(".")), 1500u);
  EXPECT_EQ(fs.free_bytes("none").error().code, ErrorCode::not_found);
}

TEST(SimFs, ReopenCutsForGoodAndLeavesUnsyncedBytesAtRisk) {
  SimFs fs;
  auto file = must(fs.create("a"));
  ASSERT_TRUE(ok(fs.sync_dir(".")));
  ASSERT_TRUE(ok(file->append(filled(1000, 1))));
  ASSERT_TRUE(ok(file->sync()));
  ASSERT_TRUE(ok(file->append(filled(1000, 2))));
  file = must(fs.reopen("a", 1500, io::WriteMode::buffered));
  ASSERT_TRUE(ok(file->append(filled(10, 3))));
  ASSERT_EQ(fs.pending().size(), 2u);
  EXPECT_EQ(fs.pending()[0].bytes, 500u);
  EXPECT_EQ(fs.after_power_loss(std::vector(2, Fate::lost), 1)->bytes("a"), filled(1000, 1));
  EXPECT_EQ(fs.after_power_loss(std::vector(2, Fate::whole), 1)->bytes("a").size(), 1510u);
  must(fs.reopen("a", 1000, io::WriteMode::buffered));
  EXPECT_TRUE(fs.pending().empty());
  EXPECT_EQ(fs.after_power_loss({}, 1)->bytes("a"), filled(1000, 1));
}

TEST(SimFs, RecordsDirectWritesAndFailsReopenAsTold) {
  SimFs fs;
  must(fs.create("a", io::WriteMode::direct));
  fs.faults().add(FsFault{.op = FsOp::reopen, .error = EIO});
  EXPECT_EQ(fs.reopen("a", 0, io::WriteMode::direct).error().code, ErrorCode::io);
  must(fs.reopen("a", 0, io::WriteMode::buffered));
  const auto operations = fs.operations();
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_TRUE(operations[0].direct);
  EXPECT_TRUE(operations[1].direct);
  EXPECT_FALSE(operations[2].direct);
  EXPECT_EQ(fs_op_name(operations[2].op), "reopen");
}

TEST(SimFs, PartialAppendLeavesHalf) {
  SimFs fs;
  fs.faults().add(FsFault{.op = FsOp::append, .kind = FsFault::Kind::partial, .error = ENOSPC});
  auto file = must(fs.create("a"));
  EXPECT_EQ(file->append(filled(1000, 1)).error().code, ErrorCode::no_space);
  EXPECT_EQ(fs.bytes("a"), filled(500, 1));
}

TEST(SimFs, LocksAndPinsDieWithTheirHolders) {
  SimFs fs;
  auto held = must(fs.lock("LOCK"));
  EXPECT_EQ(fs.lock("LOCK").error().code, ErrorCode::busy);
  held.reset();
  EXPECT_TRUE(fs.lock("LOCK"));
  auto first = must(fs.pin("LOCK", 5));
  auto second = must(fs.pin("LOCK", 5));
  first.reset();
  EXPECT_TRUE(must(fs.is_pinned("LOCK", 5)));
  EXPECT_FALSE(must(fs.is_pinned("LOCK", 4)));
  second.reset();
  EXPECT_FALSE(must(fs.is_pinned("LOCK", 5)));
  auto crashed = must(fs.lock("LOCK"));
  ASSERT_TRUE(ok(fs.sync_dir(".")));
  EXPECT_TRUE(fs.after_power_loss({}, 1)->lock("LOCK"));
}

TEST(FaultPlan, ConditionsMustAllHold) {
  FaultPlan plan(1);
  plan.add(FsFault{.when = {.path_contains = "x", .skip = 1}, .op = FsOp::sync});
  EXPECT_FALSE(plan.strike(FsOp::sync, "y", 0));
  EXPECT_FALSE(plan.strike(FsOp::append, "x", 1));
  EXPECT_FALSE(plan.strike(FsOp::sync, "x", 2)) << "the first match is let pass";
  EXPECT_TRUE(plan.strike(FsOp::sync, "x", 3));
  EXPECT_FALSE(plan.strike(FsOp::sync, "x", 4)) << "once";
  plan.add(FsFault{.when = {.sticky = true}, .op = FsOp::open});
  EXPECT_TRUE(plan.strike(FsOp::open, "z", 5));
  EXPECT_TRUE(plan.strike(FsOp::open, "z", 6));
}

TEST(FaultPlan, LooksAreNotCountedWhereTheirNumberDependsOnTime) {
  FaultPlan plan(1);
  plan.add(FsFault{.when = {.at_no_look = 1}});
  EXPECT_FALSE(plan.strike(FsOp::create, "x", 0));
  EXPECT_FALSE(plan.strike(FsOp::list, "x", 1));
  EXPECT_FALSE(plan.strike(FsOp::file_bytes, "x", 2));
  EXPECT_TRUE(plan.strike(FsOp::sync, "x", 3));
}

TEST(FaultPlan, RemembersWhatItStruckAndNotWhatCameLate) {
  FaultPlan plan(1);
  plan.add(FsFault{.when = {.path_contains = "x"}});
  plan.add(ReadFault{.when = {.path_contains = "slow"}, .kind = ReadFault::Kind::late});
  plan.add(ReadFault{.when = {.path_contains = "bad"}, .kind = ReadFault::Kind::zeros});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(plan.strike(FsOp::sync, "x", 0).has_value(), i == 0);
    EXPECT_EQ(plan.strike_read("slow", 0).has_value(), i == 0);
    EXPECT_EQ(plan.strike_read("bad", 1).has_value(), i == 0);
  }
  plan.clear();
  EXPECT_EQ(plan.struck(), (std::vector<std::string>{"x", "bad"}));
  plan.forget_struck();
  EXPECT_TRUE(plan.struck().empty());
}

TEST(FaultPlan, ChanceFollowsTheSeed) {
  const auto struck = [](std::uint64_t seed) {
    FaultPlan plan(seed);
    plan.add(ReadFault{.when = {.probability = 0.3, .sticky = true}});
    std::vector<bool> hits;
    for (std::uint64_t i = 0; i < 1000; ++i) hits.push_back(plan.strike_read("f", i).has_value());
    return hits;
  };
  EXPECT_EQ(struck(5), struck(5));
  EXPECT_NE(struck(5), struck(6));
  const auto hits = struck(5);
  const auto count = std::count(hits.begin(), hits.end(), true);
  EXPECT_GT(count, 200);
  EXPECT_LT(count, 400);
}

}  // namespace
}  // namespace cairn::sim
