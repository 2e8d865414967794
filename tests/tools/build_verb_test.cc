// cairn build as a person meets it: its options, its inputs, what it says meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

/// 3000 vectors in one file, the same cut into two, and the two in a folder.
class BuildVerb : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchDir>();
    run_ok(dir(), {"generate", "--count", "3000", "--dim", "24", "--dtype", "u8", "--seed", "3",
                   "--output", "all.u8bin"});
    run_ok(dir(), {"convert", "all.u8bin", "head.u8bin", "--take", "1100"});
    run_ok(dir(), {"convert", "all.u8bin", "tail.bvecs", "--skip", "1100"});
    std::filesystem::create_directory(dir().file("parts"));
    std::filesystem::copy(dir().file("head.u8bin"), dir().file("parts/0.u8bin"));
    std::filesystem::copy(dir().file("tail.bvecs"), dir().file("parts/1.bvecs"));
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static const ScratchDir& dir() { return *folder_; }

  static std::vector<std::string> args(const std::string& index,
                                       const std::vector<std::string>& more) {
    std::vector<std::string> all = {"build", "--index", index, "--codes", "8"};
    all.insert(all.end(), more.begin(), more.end());
    // Recall takes longer than all else, and is not what these builds are for.
    if (std::ranges::find(all, "--calibration") == all.end()) {
      all.insert(all.end(), {"--calibration-rows", "0"});
    }
    return all;
  }

  static std::map<std::string, std::string> files_of(const std::string& index) {
    std::map<std::string, std::string> files;
    for (const auto& file : std::filesystem::directory_iterator(dir().file(index)))
      files[file.path().filename()] = read_text(file.path());
    return files;
  }

 private:
  static inline std::unique_ptr<ScratchDir> folder_;
};

TEST_F(BuildVerb, BadOptionsAreUsageErrors) {
  const auto refused = [](const std::vector<std::string>& more,
                          const std::vector<std::string>& parts) {
    auto all = args("none", {"--input", "all.u8bin"});
    all.insert(all.end(), more.begin(), more.end());
    expect_error(dir(), all, 2, parts);
  };
  refused({"--memory", "60B/v"}, {"--memory", "60B/v", "bytes in all"});
  refused({"--memory", "0"}, {"--memory", "'0'"});
  refused({"--memory", "much"}, {"--memory", "much", "512M"});
  refused({"--disk", "1B/v"}, {"--disk", "1B/v"});
  refused({"--vectors", "100"}, {"--vectors", "--dry-run"});
  refused({"--dry-run", "--vectors", "0"}, {"--vectors", "'0'"});
  refused({"--partitions", "-1"}, {"--partitions", "'-1'"});
  refused({"--nav-edges", "many"}, {"--nav-edges", "many"});
  refused({"--calibration", "all.u8bin", "--calibration-rows", "10"},
          {"--calibration", "--calibration-rows"});
  refused({"--progress", "loud"}, {"--progress", "loud", "json"});
  expect_error(dir(), args("none", {}), 2, {"--input"});
  EXPECT_FALSE(std::filesystem::exists(dir().file("none")));
}

TEST_F(BuildVerb, HelpSaysOrderAndWhatLabelsCost) {
  const std::string help = run_ok(dir(), {"build", "--help"}).out;
  for (const char* words :
       {"sorted by name", "held in memory", "--fresh", "--dry-run", "the same command goes on"})
    EXPECT_NE(help.find(words), std::string::npos) << words << " in " << help;
}

TEST_F(BuildVerb, SeveralFilesAreOneIndex) {
  run_ok(dir(), args("one", {"--input", "all.u8bin", "--quiet"}));
  run_ok(dir(), args("two", {"--input", "head.u8bin", "--input", "tail.bvecs", "--quiet"}));
  run_ok(dir(), args("folder", {"--input", "parts", "--quiet"}));
  const auto files = files_of("one");
  EXPECT_GE(files.size(), 5U);
  EXPECT_EQ(files, files_of("two"));
  EXPECT_EQ(files, files_of("folder"));
  run_ok(dir(), args("turned", {"--input", "tail.bvecs", "head.u8bin", "--quiet"}));
  EXPECT_NE(files, files_of("turned")) << "the order of the inputs is that of the rows";
}

TEST_F(BuildVerb, InputsThatDifferAreNamed) {
  run_ok(dir(), {"generate", "--count", "3", "--dim", "25", "--dtype", "u8", "--seed", "1",
                 "--output", "wide.u8bin"});
  expect_error(dir(), args("none", {"--input", "all.u8bin", "wide.u8bin", "--quiet"}), 1,
               {"'wide.u8bin'", "dimension 25", "dimension 24, that of 'all.u8bin'"});
  std::filesystem::create_directories(dir().file("empty"));
  expect_error(dir(), args("none", {"--input", "empty", "--quiet"}), 1,
               {"'empty'", "known vector format"});
}

TEST_F(BuildVerb, LabelsOfEachFileAreThoseOfItsRows) {
  std::ofstream head(dir().file("head.txt")), tail(dir().file("tail.txt"));
  for (int i = 0; i < 3000; ++i) (i < 1100 ? head : tail) << i + 500000 << '\n';
  head.close();
  tail.close();
  run_ok(dir(), args("labelled", {"--input", "parts", "--labels", "head.txt", "--labels",
                                  "tail.txt", "--quiet"}));
  const Ran found = run_ok(dir(), {"search", "--index", "labelled", "--queries", "tail.bvecs", "-k",
                                   "1", "--json", "--quiet"});
  const json first = json::parse(found.out.substr(0, found.out.find('\n')));
  EXPECT_EQ(first.at("labels")[0], 501100);
  expect_error(dir(), args("none", {"--input", "parts", "--labels", "tail.txt", "--quiet"}), 1,
               {"'tail.txt'", "1900 labels", "expected 3000"});
}

TEST_F(BuildVerb, JsonReportsPlanAndError) {
  const Ran ran = run_ok(dir(), args("json", {"--input", "all.u8bin", "--json", "--quiet"}));
  EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1);
  const json report = json::parse(ran.out);
  EXPECT_EQ(report.at("vectors"), 3000);
  for (const char* name : {"partitions", "copies", "walk_passes", "wall_s", "cpu_s",
                           "memory_peak_bytes", "disk_peak_bytes", "phases", "plan", "error"})
    EXPECT_TRUE(report.contains(name)) << name;
  for (const char* name : {"vectors", "partitions", "copies", "seconds", "memory_bytes",
                           "memory_min_bytes", "disk_bytes", "index_bytes", "units_done", "phases"})
    EXPECT_TRUE(report.at("plan").contains(name)) << name;
  for (const char* name : {"time", "memory", "disk"})
    EXPECT_TRUE(report.at("error").contains(name)) << name;
}

TEST_F(BuildVerb, ProgressAsJsonIsAnObjectALine) {
  const Ran ran =
      run_cairn(dir(), args("collected", {"--input", "all.u8bin", "--progress", "json"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::istringstream lines(ran.err);
  std::string phase;
  std::size_t phases = 0;
  for (std::string line; std::getline(lines, line);) {
    const json object = json::parse(line);
    if (object.contains("note") || object.contains("plan")) continue;
    for (const char* name :
         {"phase_share", "share", "vectors_per_s", "left_s", "memory_bytes", "disk_bytes"})
      EXPECT_TRUE(object.at(name).is_number()) << line;
    if (object.at("phase") != phase) ++phases;
    phase = object.at("phase");
  }
  EXPECT_GE(phases, 3U) << ran.err;
}

TEST_F(BuildVerb, QuietLeavesProgressThatWasAskedFor) {
  const Ran ran =
      run_cairn(dir(), args("asked", {"--input", "all.u8bin", "--progress", "json", "--quiet"}));
  EXPECT_NE(ran.err.find("{\"phase\":"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("{\"note\":"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("{\"plan\":"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
}

TEST_F(BuildVerb, ADryRunPrintsThePlanAndBuildsNothing) {
  const Ran ran = run_cairn(dir(), args("dry", {"--input", "all.u8bin", "--dry-run", "--json",
                                                "--vectors", "1000000", "--quiet"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  const json plan = json::parse(ran.out);
  EXPECT_EQ(plan.at("vectors"), 1000000);
  EXPECT_GE(plan.at("partitions"), 1);
  EXPECT_GT(plan.at("seconds"), 0);
  EXPECT_GT(plan.at("disk_bytes"), 24000000);
  EXPECT_GE(plan.at("phases").size(), 3U);
  const std::string text =
      run_ok(dir(), args("dry", {"--input", "all.u8bin", "--dry-run", "--quiet"})).out;
  EXPECT_EQ(text.find("plan: 3,000 vectors in "), 0U) << text;
  EXPECT_FALSE(std::filesystem::exists(dir().file("dry")));
  EXPECT_FALSE(std::filesystem::exists(dir().file("dry.building")));
}

TEST_F(BuildVerb, AnInterruptedBuildSaysHowToGoOn) {
  run_ok(dir(), {"generate", "--count", "60000", "--dim", "24", "--dtype", "u8", "--seed", "4",
                 "--output", "many.u8bin"});
  const auto command = args("stopped", {"--input", "many.u8bin", "--progress", "json", "--quiet"});
  const CairnProcess process(dir(), command);
  const std::string err = dir().file("stderr.txt");
  for (int i = 0; i < 6000 && read_text(err).find("\"phase\":\"link\"") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  ASSERT_EQ(::kill(process.pid(), SIGTERM), 0);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("cairn build: cancelled: terminated"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(dir().file("stopped")));
  EXPECT_TRUE(std::filesystem::exists(dir().file("stopped.building")));
  EXPECT_NE(ran.err.find("the same command goes on from there, with --fresh"), std::string::npos)
      << ran.err;
  EXPECT_EQ(run_cairn(dir(), command).code, 0);
  EXPECT_FALSE(std::filesystem::exists(dir().file("stopped.building")));
}

TEST_F(BuildVerb, AnInterruptedCalibrationLeavesTheIndexAndItsReport) {
  const auto command = args("measured", {"--input", "all.u8bin", "--calibration", "all.u8bin",
                                         "--progress", "json", "--json"});
  const CairnProcess process(dir(), command);
  const std::string err = dir().file("stderr.txt");
  for (int i = 0; i < 6000 && read_text(err).find("\"calibrate\"") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  ASSERT_EQ(::kill(process.pid(), SIGTERM), 0);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(json::parse(ran.out).at("vectors"), 3000) << ran.out;
  EXPECT_NE(ran.err.find("cancelled: terminated; the index 'measured' is whole"), std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("cairn calibrate --index measured --queries all.u8bin"), std::string::npos)
      << ran.err;
  EXPECT_EQ(ran.err.find("\"phase\":\"recall\""), std::string::npos) << ran.err;
  EXPECT_NE(run_ok(dir(), {"verify", "measured", "--quiet"}).out.find("whole"), std::string::npos);
}

TEST_F(BuildVerb, ADryRunWithQueriesPlansNoRecallOfRows) {
  const json plan = json::parse(run_ok(dir(), args("dry", {"--input", "all.u8bin", "--calibration",
                                                           "all.u8bin", "--dry-run", "--json"}))
                                    .out);
  for (const json& phase : plan.at("phases")) EXPECT_NE(phase.at("name"), "recall") << plan;
}

// Sparse files: their headers say what they hold, and they take no room.
TEST_F(BuildVerb, MoreVectorsThanASegmentHoldsAreRefusedBeforeAnythingIsWritten) {
  constexpr std::uint32_t kMost = 0xfff0'0000;
  std::filesystem::create_directory(dir().file("many"));
  const auto make = [&](const std::string& name, std::uint32_t count) {
    const std::string path = dir().file("many/" + name);
    const std::uint32_t head[2] = {count, 2};
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(head), sizeof head);
    std::filesystem::resize_file(path, sizeof head + std::uint64_t{count} * 2);
  };
  const std::vector<std::string> build = args("huge", {"--input", "many", "--quiet"});
  make("a.u8bin", kMost + 1);
  expect_error(dir(), build, 1, {"over_limit", "4293918721 vectors", "at most 4293918720"});
  // Of several files together, whose sum is beyond 2^32.
  make("a.u8bin", kMost);
  make("b.u8bin", kMost);
  expect_error(dir(), build, 1, {"over_limit", "8587837440 vectors"});
  EXPECT_FALSE(std::filesystem::exists(dir().file("huge")));
  EXPECT_FALSE(std::filesystem::exists(dir().file("huge.building")));
  run_ok(dir(), {"convert", "many/b.u8bin", "end.u8bin", "--skip", std::to_string(kMost - 2)});
  EXPECT_EQ(std::filesystem::file_size(dir().file("end.u8bin")), 8 + 2 * 2U);
}

}  // namespace
}  // namespace cairn::tools
