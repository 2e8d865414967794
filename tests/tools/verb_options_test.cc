// Options of the verbs that no other test uses, each with what it should change.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> objects;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) objects.push_back(json::parse(line));
  return objects;
}

/// 1500 f32 vectors and 20 queries of dimension 24.
class VerbOptions : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchDir>();
    run_ok(dir(), {"generate", "--count", "1500", "--dim", "24", "--dtype", "f32", "--seed", "3",
                   "--output", "base.fbin", "--queries", "20", "--query-output", "q.fbin"});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static const ScratchDir& dir() { return *folder_; }

  /// Builds `index` unless it is there.
  static void build(const std::string& index, const std::vector<std::string>& more) {
    if (std::filesystem::exists(dir().file(index))) return;
    // Recall by name has tests of its own.
    std::vector<std::string> args = {
        "build", "--input", "base.fbin",          "--index", index, "--codes",
        "16",    "--quiet", "--calibration-rows", "20"};
    args.insert(args.end(), more.begin(), more.end());
    run_ok(dir(), args);
  }

  static json inspect(const std::string& index) {
    return json::parse(run_ok(dir(), {"inspect", index, "--json", "--quiet"}).out);
  }

  static std::vector<json> search(const std::string& index, const std::vector<std::string>& more) {
    std::vector<std::string> args = {"search", "--index", index,    "--queries",
                                     "q.fbin", "--json",  "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return lines_of(run_ok(dir(), args).out);
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

TEST_F(VerbOptions, BuildTakesEveryMetricAndRecallAgreesWithItsGroundTruth) {
  for (const std::string metric : {"ip", "cosine"}) {
    build(metric, {"--metric", metric});
    EXPECT_EQ(inspect(metric).at("metric"), metric);
    run_ok(dir(), {"groundtruth", "--input", "base.fbin", "--queries", "q.fbin", "-k", "10",
                   "--metric", metric, "--output", metric + ".bin"});
    const std::vector<std::string> recall = {"recall",    "--index",     metric,
                                             "--queries", "q.fbin",      "--json",
                                             "--quiet",   "--list-size", "1500"};
    auto with_file = recall;
    with_file.insert(with_file.end(), {"--groundtruth", metric + ".bin"});
    const auto rows = lines_of(run_ok(dir(), with_file).out);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_GE(rows[0].at("recall"), 0.95) << metric;
    EXPECT_EQ(rows[0].at("recall"), lines_of(run_ok(dir(), recall).out).at(0).at("recall"));
  }
}

TEST_F(VerbOptions, BuildKeepsARefinementOfTheSizeAskedFor) {
  build("plain", {"--refine", "0"});
  build("refined", {"--refine", "8"});
  EXPECT_EQ(inspect("plain").at("refine_bytes"), 0);
  EXPECT_EQ(inspect("refined").at("refine_bytes"), 8);
}

TEST_F(VerbOptions, TheSeedAloneDecidesTheBytes) {
  build("seed-5", {"--seed", "5", "--threads", "1"});
  build("seed-5-again", {"--seed", "5", "--threads", "3"});
  build("seed-6", {"--seed", "6", "--threads", "1"});
  const auto files = files_of("seed-5");
  EXPECT_GE(files.size(), 5U);
  EXPECT_EQ(files, files_of("seed-5-again"));
  EXPECT_NE(files, files_of("seed-6"));
}

TEST_F(VerbOptions, SearchEndsAtItsReadBudget) {
  build("plain", {"--refine", "0"});
  std::uint64_t free_reads = 0;
  for (const json& result : search("plain", {"--list-size", "200"}))
    free_reads += result.at("reads").get<std::uint64_t>();
  EXPECT_GT(free_reads, 20U * 3);
  for (const json& result : search("plain", {"--list-size", "200", "--reads-max", "3"})) {
    EXPECT_LE(result.at("reads"), 3);
    EXPECT_EQ(result.at("stop"), "reads_max");
  }
}

TEST_F(VerbOptions, MemoryLimitsEveryVerbThatOpensAnIndex) {
  build("plain", {"--refine", "0"});
  EXPECT_EQ(search("plain", {"--memory", "4M"}).size(), 20U);
  EXPECT_EQ(search("plain", {"--memory", "2000.5B/v"}).size(), 20U);
  run_ok(dir(), {"inspect", "plain", "--memory", "4M", "--quiet"});
  run_ok(dir(), {"verify", "plain", "--memory", "4M", "--quiet"});
  for (const std::string verb : {"inspect", "verify"})
    expect_error(dir(), {verb, "plain", "--memory", "1B/v", "--quiet"}, 1, {"over_limit"});
  expect_error(dir(),
               {"search", "--index", "plain", "--queries", "q.fbin", "--memory", "1K", "--quiet"},
               1, {"over_limit"});
}

TEST_F(VerbOptions, ConvertReadsGzip) {
  run_ok(dir(), {"convert", "base.fbin", "x.idx"});
  ASSERT_EQ(run_shell(dir(), "gzip -k x.idx").code, 0);
  run_ok(dir(), {"convert", "x.idx.gz", "back.fbin"});
  EXPECT_EQ(read_text(dir().file("back.fbin")), read_text(dir().file("base.fbin")));
  EXPECT_EQ(run_shell(dir(), "head -c 20000 x.idx.gz >cut.idx.gz").code, 0);
  expect_error(dir(), {"convert", "cut.idx.gz", "cut.fbin"}, 1, {"corrupt", "'cut.idx.gz'"});
  EXPECT_FALSE(std::filesystem::exists(dir().file("cut.fbin")));
}

TEST_F(VerbOptions, AFileThatAnIndexMissesIsNamed) {
  build("plain", {"--refine", "0"});
  int files = 0;
  for (const auto& [name, bytes] : files_of("plain")) {
    if (name.find('.') == std::string::npos) continue;  // no part of its data
    if (name.ends_with(".calibration")) continue;       // searched by list without it
    ++files;
    const ScratchDir other;
    std::filesystem::copy(dir().file("plain"), other.file("index"),
                          std::filesystem::copy_options::recursive);
    std::filesystem::remove(other.file("index/" + name));
    expect_error(other, {"inspect", "index", "--quiet"}, 1, {"not_found", name});
  }
  EXPECT_GE(files, 5);
}

TEST_F(VerbOptions, RecallInABatchEndsAtTheFirstInterrupt) {
  build("plain", {"--refine", "0"});
  std::string lists = "40";
  for (int i = 0; i < 20000; ++i) lists += ",40";
  const CairnProcess process(dir(), {"recall", "--index", "plain", "--queries", "q.fbin", "--batch",
                                     "8", "--list-size", lists, "--json", "--quiet"});
  // The first buffer of rows is written: it is at work.
  const std::string out = dir().file("stdout.txt");
  for (int i = 0; i < 6000 && read_text(out).find('\n') == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  ASSERT_EQ(::kill(process.pid(), SIGINT), 0);
  EXPECT_EQ(process.wait().code, 256 + SIGINT) << "it leaves no file, so it may simply end";
}

}  // namespace
}  // namespace cairn::tools
