// The verbs that ask for a recall, as one story: build, recall, search, explain, calibrate.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

constexpr std::size_t kQueries = 300;

std::vector<json> lines_of(const Ran& ran) {
  std::vector<json> objects;
  std::istringstream in(ran.out);
  for (std::string line; std::getline(in, line);) objects.push_back(json::parse(line));
  return objects;
}

class RecallByName : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchDir>();
    run_ok(dir(), {"generate", "--count", "8000", "--dim", "64", "--dtype", "u8", "--seed", "3",
                   "--output", "base.u8bin", "--queries", std::to_string(kQueries),
                   "--query-output", "q.u8bin"});
    build("index", {"--calibration-rows", "300"});
    build("plain", {"--calibration-rows", "0"});
    run_ok(dir(), {"groundtruth", "--input", "base.u8bin", "--queries", "q.u8bin", "-k", "10",
                   "--output", "truth.bin"});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static const ScratchDir& dir() { return *folder_; }

  static void build(const std::string& index, const std::vector<std::string>& more) {
    // Each 8 edges are a state of memory to measure: one shows it.
    std::vector<std::string> args = {"build",   "--input", "base.u8bin",  "--index", index,
                                     "--codes", "8",       "--nav-edges", "8",       "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    run_ok(dir(), args);
  }
  static std::vector<json> measure(const std::string& index, const std::vector<std::string>& more) {
    std::vector<std::string> args = {"recall",        "--index",   index,    "--queries", "q.u8bin",
                                     "--groundtruth", "truth.bin", "--json", "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return lines_of(run_ok(dir(), args));
  }

 private:
  static inline std::unique_ptr<ScratchDir> folder_;
};

TEST_F(RecallByName, ARowForEachRecallAndLimitOfMemory) {
  const auto rows =
      measure("index", {"--recall", "0.9,0.97", "--memory", "40B/v,200B/v", "--batch", "16"});
  ASSERT_EQ(rows.size(), 4U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("asked"), i % 2 == 0 ? 0.9 : 0.97);
    EXPECT_GT(rows[i].at("recall"), rows[i].at("asked").get<double>() - 0.035);
    EXPECT_LT(rows[i].at("recall"), rows[i].at("asked").get<double>() + 0.045);
    EXPECT_GT(rows[i].at("list_size"), 0);
    EXPECT_TRUE(rows[i].at("slack").is_number());
  }
  EXPECT_GT(rows[1].at("reads"), rows[0].at("reads"));
  EXPECT_GT(rows[1].at("reads"), rows[3].at("reads"));
  EXPECT_GT(rows[3].at("index_ram_bytes"), rows[1].at("index_ram_bytes"));
}

TEST_F(RecallByName, SearchTakesIt) {
  const auto results = lines_of(run_ok(dir(), {"search", "--index", "index", "--queries", "q.u8bin",
                                               "--recall", "0.9", "--json", "--quiet"}));
  ASSERT_EQ(results.size(), kQueries);
  std::size_t bounded = 0;
  for (const json& result : results) bounded += result.at("stop") == "bound";
  EXPECT_GT(bounded, kQueries / 2);
  expect_error(dir(), {"search", "--index", "index", "--queries", "q.u8bin", "--recall", "1.5"}, 1,
               {"invalid_argument", "recall", "1.5"});
  EXPECT_EQ(run_cairn(dir(), {"search", "--index", "index", "--queries", "q.u8bin", "--recall",
                              "0.9", "--list-size", "10"})
                .code,
            2);
}

TEST_F(RecallByName, WithoutACalibrationItIsAnErrorUntilThereIsOne) {
  expect_error(dir(), {"search", "--index", "plain", "--queries", "q.u8bin", "--recall", "0.9"}, 1,
               {"unsupported", "recall", "calibration"});
  const json report = lines_of(run_ok(dir(), {"calibrate", "--index", "plain", "--queries",
                                              "q.u8bin", "--json", "--quiet"}))
                          .at(0);
  EXPECT_EQ(report.at("queries"), kQueries);
  EXPECT_GT(report.at("states"), 2);
  // Of the very queries it was measured with.
  const auto rows = measure("plain", {"--recall", "0.9", "--batch", "16"});
  EXPECT_NEAR(rows.at(0).at("recall").get<double>(), 0.904, 0.015);
  EXPECT_NE(run_ok(dir(), {"verify", "plain", "--quiet"}).out.find("whole"), std::string::npos);
  run_ok(dir(), {"generate", "--count", "20", "--seed", "1", "--dim", "32", "--dtype", "u8",
                 "--output", "short.u8bin"});
  expect_error(dir(), {"calibrate", "--index", "plain", "--queries", "short.u8bin", "--quiet"}, 1,
               {"invalid_argument", "32 x u8", "64 x u8"});
  expect_error(dir(), {"calibrate", "--index", "nowhere", "--quiet"}, 1, {"not_found", "nowhere"});
}

TEST_F(RecallByName, ABuildTakesQueriesOfItsOwn) {
  build("own", {"--calibration", "q.u8bin"});
  EXPECT_NEAR(measure("own", {"--recall", "0.9", "--batch", "16"}).at(0).at("recall").get<double>(),
              0.904, 0.015);
}

TEST_F(RecallByName, ExplainTellsOfEachReadAndWhyItEnded) {
  const json told =
      lines_of(run_ok(dir(), {"explain", "--index", "index", "--queries", "q.u8bin", "--row", "7",
                              "--recall", "0.9", "--memory", "40B/v", "--json", "--quiet"}))
          .at(0);
  const json& reads = told.at("reads");
  ASSERT_GT(reads.size(), 2U);
  double results = 0;
  for (const json& read : reads) {
    results += read.at("results").get<double>();
    EXPECT_GT(read.at("vectors"), 0);
    EXPECT_FALSE(read.at("file").get<std::string>().empty());
    if (!read.at("slack_needed").is_null()) {
      EXPECT_LE(read.at("slack_needed"), told.at("slack"));
    }
  }
  EXPECT_GE(results, 10);
  ASSERT_EQ(told.at("stop"), "bound");
  EXPECT_GT(told.at("next_slack_needed"), told.at("slack"));
  EXPECT_EQ(told.at("labels").size(), 10U);
  const std::string text =
      run_ok(dir(), {"explain", "--index", "index", "--queries", "q.u8bin", "--quiet"}).out;
  for (const char* word : {"recall 0.95 asked for", "takes slack", "ended (", "found:"})
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  expect_error(dir(), {"explain", "--index", "index", "--queries", "q.u8bin", "--row", "300"}, 1,
               {"invalid_argument", "300", "q.u8bin"});
}

}  // namespace
}  // namespace cairn::tools
