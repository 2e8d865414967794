#include "engine/build/work_folder.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build {
namespace {

namespace stdfs = std::filesystem;

void touch(const std::string& path) { std::ofstream(path) << "x"; }

Error error_of(Result<std::unique_ptr<WorkFolder>> result) {
  if (!result) return result.error();
  ADD_FAILURE() << "no error";
  return {};
}

std::vector<std::string> names(const std::string& folder) {
  return must(io::posix_fs().list(folder));
}

class WorkFolderTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<WorkFolder>> open(const std::string& name = "index") {
    return WorkFolder::open(io::posix_fs(), dir_.file(name));
  }
  ScratchDir dir_;
};

TEST_F(WorkFolderTest, PublishesByRenaming) {
  {
    auto folder = must(open());
    EXPECT_EQ(folder->path(), dir_.file("index.building"));
    for (const char* name : {"/000001.blocks", "/MANIFEST", "/JOURNAL"})
      touch(folder->path() + name);
    ASSERT_TRUE(ok(folder->publish()));
  }
  EXPECT_EQ(names(dir_.path()), std::vector<std::string>{"index"});
  EXPECT_EQ(names(dir_.file("index")), (std::vector<std::string>{"000001.blocks", "MANIFEST"}));
}

TEST_F(WorkFolderTest, RemovesItselfUnlessPublished) {
  {
    auto folder = must(open());
    for (const char* name : {"/000001.blocks", "/MANIFEST", "/MANIFEST.tmp", "/PINS"})
      touch(folder->path() + name);
  }
  EXPECT_TRUE(names(dir_.path()).empty());
}

TEST_F(WorkFolderTest, RefusesATargetThatExists) {
  stdfs::create_directory(dir_.file("index"));
  expect_error(error_of(open()), ErrorCode::already_exists, {dir_.file("index")});
  expect_error(error_of(open("index///")), ErrorCode::already_exists, {});
  touch(dir_.file("plain"));
  expect_error(error_of(open("plain")), ErrorCode::already_exists, {});
  stdfs::create_symlink("nowhere", dir_.file("dangling"));
  expect_error(error_of(open("dangling")), ErrorCode::already_exists, {});
  EXPECT_EQ(names(dir_.path()).size(), 3U) << "no work folder is left";
}

TEST_F(WorkFolderTest, RefusesATargetThatAppearedMeanwhile) {
  {
    auto folder = must(open());
    touch(folder->path() + "/MANIFEST");
    stdfs::create_directory(dir_.file("index"));
    touch(dir_.file("index/somebody's"));
    const Status status = folder->publish();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::already_exists);
  }
  EXPECT_EQ(names(dir_.path()), std::vector<std::string>{"index"});
  EXPECT_EQ(names(dir_.file("index")), std::vector<std::string>{"somebody's"});
}

TEST_F(WorkFolderTest, NeedsAParent) {
  expect_error(error_of(open("no/such/index")), ErrorCode::not_found, {"no/such"});
  expect_error(error_of(WorkFolder::open(io::posix_fs(), "")), ErrorCode::invalid_argument, {});
  expect_error(error_of(WorkFolder::open(io::posix_fs(), "//")), ErrorCode::invalid_argument, {});
}

TEST_F(WorkFolderTest, IsBusyWhileABuilderHoldsIt) {
  auto first = must(open());
  touch(first->path() + "/000001.blocks");
  expect_error(error_of(open()), ErrorCode::busy, {"index.building/LOCK"});
  const int other_process = io::in_child([&] {
    const auto second = open();
    return !second && second.error().code == ErrorCode::busy ? 0 : 1;
  });
  EXPECT_EQ(other_process, 0);
  EXPECT_TRUE(stdfs::exists(first->path() + "/000001.blocks"));
  must(open("another"));
  first.reset();
  must(open());
}

TEST_F(WorkFolderTest, TakesOverWhatADeadBuilderLeft) {
  const int killed = io::in_child([&]() -> int {
    auto folder = must(open());
    for (const char* name : {"/000001.blocks", "/000002.codes", "/MANIFEST.tmp", "/lists-0.part"})
      touch(folder->path() + name);
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  EXPECT_EQ(killed, 256 + SIGKILL);
  EXPECT_EQ(names(dir_.file("index.building")).size(), 5U);
  {
    auto folder = must(open());
    EXPECT_EQ(names(folder->path()).size(), 5U);
  }
  EXPECT_EQ(names(dir_.file("index.building")).size(), 5U) << "what was there is not ours to drop";
  auto folder = must(open());
  ASSERT_TRUE(ok(folder->clear()));
  EXPECT_EQ(names(folder->path()), std::vector<std::string>{"LOCK"});
  folder->keep(false);
  folder.reset();
  EXPECT_TRUE(names(dir_.path()).empty());
}

TEST_F(WorkFolderTest, IsLeftWhereItIsWhenToldSo) {
  {
    auto folder = must(open());
    touch(folder->path() + "/JOURNAL");
    folder->keep();
  }
  EXPECT_EQ(names(dir_.file("index.building")), (std::vector<std::string>{"JOURNAL", "LOCK"}));
}

// What is in it took long to make.
TEST_F(WorkFolderTest, IsNotLostWhenItCannotBeTakenOver) {
  constexpr char kWork[] = "index.building";
  sim::SimFs fs;
  {
    auto folder = must(WorkFolder::open(fs, "index"));
    for (const char* name : {"JOURNAL", "000001.blocks"})
      must(fs.create(folder->path() + "/" + name));
    folder->keep();
  }
  const auto before = must(fs.list(kWork));
  for (bool failed = true; failed;) {
    const std::uint64_t first = fs.operations().size();
    for (std::uint64_t at = 0;; ++at) {
      fs.faults().add(sim::FsFault{.when = {.at = fs.operations().size() + at}, .error = 5});
      failed = !WorkFolder::open(fs, "index");
      fs.faults().clear();
      EXPECT_EQ(must(fs.list(kWork)), before) << "operation " << at;
      if (!failed) break;
    }
    EXPECT_GT(fs.operations().size(), first);
  }
}

TEST_F(WorkFolderTest, IsFoundAfterALossOfPower) {
  sim::SimFs fs;
  auto folder = must(WorkFolder::open(fs, "index"));
  ASSERT_TRUE(ok(must(fs.create(folder->path() + "/JOURNAL"))->sync()));
  ASSERT_TRUE(ok(fs.sync_dir(folder->path())));
  const std::vector<sim::Fate> fates(fs.pending().size(), sim::Fate::lost);
  EXPECT_TRUE(must(fs.after_power_loss(fates, 1)->exists("index.building/JOURNAL")));
}

TEST_F(WorkFolderTest, TouchesNoFileOfAnybodyElse) {
  for (const char* stranger : {"notes.txt", "1.blocks", "000001.blocks.bak", "000001.unknown"}) {
    SCOPED_TRACE(stranger);
    const std::string work = dir_.file("index.building");
    stdfs::create_directory(work);
    touch(work + "/" + stranger);
    touch(work + "/000001.blocks");
    expect_error(error_of(open()), ErrorCode::already_exists, {stranger});
    EXPECT_EQ(names(work).size(), 2U) << "neither removed nor added to";
    stdfs::remove_all(work);
  }
  touch(dir_.file("index.building"));  // a file in the way
  EXPECT_FALSE(open());
  EXPECT_TRUE(stdfs::is_regular_file(dir_.file("index.building")));
}

}  // namespace
}  // namespace cairn::build
