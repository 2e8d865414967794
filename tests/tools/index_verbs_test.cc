// The verbs that work on an index, as one story: build, inspect, verify, search, recall.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/tools/run_cairn.h"
#include "tools/formats/result_file.h"

namespace cairn::tools {
namespace {

using io::must;
using io::ScratchDir;
using nlohmann::json;

constexpr std::size_t kQueries = 50;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> objects;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) objects.push_back(json::parse(line));
  return objects;
}

/// One index of 2000 vectors of 32 bytes, made once; tests that change it work on a copy.
class IndexVerbs : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchDir>();
    run_ok(dir(), {"generate", "--count", "2000", "--dim", "32", "--dtype", "u8", "--seed", "3",
                   "--output", "base.u8bin", "--queries", std::to_string(kQueries),
                   "--query-output", "q.u8bin"});
    const Ran built =
        run_ok(dir(), {"build", "--input", "base.u8bin", "--index", "index", "--codes", "16",
                       "--degree", "32", "--calibration-rows", "50", "--json", "--quiet"});
    const json report = json::parse(built.out);
    EXPECT_EQ(report.at("vectors"), 2000);
    EXPECT_GT(report.at("mean_degree"), 4);
    run_ok(dir(), {"groundtruth", "--input", "base.u8bin", "--queries", "q.u8bin", "-k", "20",
                   "--output", "truth.bin"});
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static const ScratchDir& dir() { return *folder_; }

  static std::vector<std::string> recall_args(const std::vector<std::string>& more) {
    std::vector<std::string> args = {"recall",  "--index", "index", "--queries",
                                     "q.u8bin", "-k",      "10",    "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

 private:
  static inline std::unique_ptr<ScratchDir> folder_;
};

TEST_F(IndexVerbs, InspectSaysWhatTheIndexIs) {
  const json report = json::parse(run_ok(dir(), {"inspect", "index", "--json", "--quiet"}).out);
  EXPECT_EQ(report.at("vectors"), 2000);
  EXPECT_EQ(report.at("dim"), 32);
  EXPECT_EQ(report.at("dtype"), "u8");
  EXPECT_EQ(report.at("metric"), "l2");
  EXPECT_EQ(report.at("code_bytes"), 16);
  std::uint64_t nodes = 0, edges = 0, degree = 0, bytes = 0;
  for (const std::uint64_t count : report.at("degree_histogram")) {
    nodes += count;
    edges += count * degree++;
  }
  EXPECT_EQ(nodes, 2000U);
  EXPECT_EQ(report.at("edges"), edges);
  for (const auto& part : report.at("parts")) bytes += part.get<std::uint64_t>();
  std::uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir().file("index")))
    on_disk += file.file_size();
  EXPECT_LE(bytes, on_disk);
  EXPECT_GE(bytes + 8192, on_disk) << "parts leave something out";
  const std::string people = run_ok(dir(), {"inspect", "index", "--quiet"}).out;
  for (const char* word : {"2,000 vectors of 32 x u8", "out-degree", "blocks", "inside", "filled"})
    EXPECT_NE(people.find(word), std::string::npos) << word << " in " << people;
}

TEST_F(IndexVerbs, VerifyFindsADamagedByte) {
  const json whole = json::parse(run_ok(dir(), {"verify", "index", "--json", "--quiet"}).out);
  EXPECT_EQ(whole.at("ok"), true);
  EXPECT_EQ(whole.at("vectors"), 2000);
  EXPECT_EQ(whole.at("unreachable"), 0);

  const ScratchDir other;
  std::filesystem::copy(dir().file("index"), other.file("index"),
                        std::filesystem::copy_options::recursive);
  std::string blocks;
  for (const auto& file : std::filesystem::directory_iterator(other.file("index")))
    if (file.path().extension() == ".blocks") blocks = file.path();
  ASSERT_FALSE(blocks.empty());
  std::fstream file(blocks, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(4096 * 3 + 1000);
  const auto old = static_cast<char>(file.get());
  file.seekp(4096 * 3 + 1000);
  file.put(static_cast<char>(old ^ 1));
  file.close();
  const Ran ran = run_cairn(other, {"verify", "index", "--quiet"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("DAMAGED"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("block"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find(".blocks"), std::string::npos) << ran.err;
}

TEST_F(IndexVerbs, VerifySaysInJsonThatAnIndexDoesNotOpen) {
  const Ran ran = run_cairn(dir(), {"verify", "none", "--json", "--quiet"});
  EXPECT_EQ(ran.code, 1);
  const json verdict = json::parse(ran.out);
  EXPECT_EQ(verdict.at("ok"), false);
  ASSERT_EQ(verdict.at("problems").size(), 1U);
  const auto problem = verdict.at("problems")[0].get<std::string>();
  EXPECT_NE(problem.find("not_found"), std::string::npos) << problem;
  EXPECT_EQ(ran.err, "cairn verify: " + problem + "\n");
}

TEST_F(IndexVerbs, SearchPrintsOneObjectAQuery) {
  const auto results = lines_of(run_ok(dir(), {"search", "--index", "index", "--queries", "q.u8bin",
                                               "-k", "7", "--json", "--quiet"})
                                    .out);
  ASSERT_EQ(results.size(), kQueries);
  for (const json& result : results) {
    const auto distances = result.at("distances").get<std::vector<float>>();
    const auto labels = result.at("labels").get<std::set<std::uint64_t>>();
    EXPECT_EQ(labels.size(), 7U);
    EXPECT_LT(*labels.rbegin(), 2000U);
    EXPECT_EQ(distances.size(), 7U);
    EXPECT_TRUE(std::is_sorted(distances.begin(), distances.end()));
  }
}

TEST_F(IndexVerbs, SearchWritesTheSameToAFile) {
  const std::vector<std::string> search = {"search",  "--index",     "index", "--queries",
                                           "q.u8bin", "--list-size", "40",    "--quiet"};
  auto args = search;
  args.push_back("--json");
  const auto printed = lines_of(run_ok(dir(), args).out);
  args = search;
  args.insert(args.end(), {"--output", "result.bin"});
  EXPECT_EQ(run_ok(dir(), args).out, "");
  const auto file = must(formats::ResultReader::open(dir().file("result.bin")));
  ASSERT_EQ(file->queries(), kQueries);
  ASSERT_EQ(file->k(), 10U);
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    std::vector<std::uint32_t> ids(10);
    std::vector<float> distances(10);
    ASSERT_TRUE(io::ok(file->read(i, ids, distances)));
    EXPECT_EQ(printed[i].at("labels").get<std::vector<std::uint32_t>>(), ids);
    EXPECT_EQ(printed[i].at("distances").get<std::vector<float>>(), distances);
  }
}

TEST_F(IndexVerbs, SearchNeverReplacesWhatItReads) {
  const std::string before = read_text(dir().file("q.u8bin"));
  const auto args = [](const std::string& output) {
    return std::vector<std::string>{"search",  "--index",  "index", "--queries",
                                    "q.u8bin", "--output", output,  "--quiet"};
  };
  expect_error(dir(), args("q.u8bin"), 1, {"invalid_argument", "'q.u8bin'"});
  expect_error(dir(), args("index/CURRENT"), 1, {"invalid_argument", "folder of the index"});
  EXPECT_EQ(read_text(dir().file("q.u8bin")), before);
}

TEST_F(IndexVerbs, SearchNamesABadRowAfterTheFirstBatch) {
  run_ok(dir(), {"generate", "--count", "600", "--dim", "8", "--dtype", "f32", "--seed", "3",
                 "--output", "f.fbin"});
  run_ok(dir(), {"build", "--input", "f.fbin", "--index", "f", "--codes", "8", "--refine", "0",
                 "--quiet"});
  {
    std::fstream file(dir().file("f.fbin"), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(8 + 500 * 8 * 4);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    file.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  }
  const Ran ran = run_cairn(dir(), {"search", "--index", "f", "--queries", "f.fbin", "--json",
                                    "--output", "f.bin", "--quiet"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("vector 500, element 0 of 'f.fbin'"), std::string::npos) << ran.err;
  EXPECT_EQ(lines_of(ran.out).size(), 256U) << "the batch before it was answered";
  EXPECT_FALSE(std::filesystem::exists(dir().file("f.bin")));
}

TEST_F(IndexVerbs, MoreThanThereAreIsAllOfThem) {
  run_ok(dir(), {"convert", "base.u8bin", "five.u8bin", "--take", "5"});
  run_ok(dir(), {"build", "--input", "five.u8bin", "--index", "five", "--codes", "4", "--quiet"});
  const auto results = lines_of(run_ok(dir(), {"search", "--index", "five", "--queries", "q.u8bin",
                                               "-k", "9", "--json", "--quiet"})
                                    .out);
  ASSERT_EQ(results.size(), kQueries);
  EXPECT_EQ(results[0].at("labels").size(), 5U);
  EXPECT_EQ(results[0].at("stop"), "exhausted");
}

TEST_F(IndexVerbs, RecallHasOneRowAListSize) {
  const auto rows = lines_of(
      run_ok(dir(), recall_args({"--groundtruth", "truth.bin", "--list-size", "10,300", "--json"}))
          .out);
  ASSERT_EQ(rows.size(), 2U);
  for (const json& row : rows)
    for (const char* field :
         {"list_size", "threads", "recall", "qps", "mean_us", "p50_us", "p99_us", "p999_us",
          "reads", "rounds", "cache_hits", "shared", "cpu_us", "code_distances",
          "refined_distances", "exact_distances", "index_ram_bytes"})
      EXPECT_TRUE(row.contains(field)) << field;
  EXPECT_EQ(rows[0].at("list_size"), 10);
  EXPECT_GE(rows[0].at("recall"), 0.5);
  EXPECT_GE(rows[1].at("recall"), 0.99);
  EXPECT_GT(rows[1].at("reads"), rows[0].at("reads"));
  EXPECT_GT(rows[0].at("index_ram_bytes"), 2000 * 16);
}

TEST_F(IndexVerbs, SlackHasARowForEachAndEndsSearches) {
  const auto rows = lines_of(run_ok(dir(), recall_args({"--groundtruth", "truth.bin", "--list-size",
                                                        "100,200", "--slack", "-0.5,2", "--json"}))
                                 .out);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[1].at("list_size"), 100);
  EXPECT_EQ(rows[1].at("slack"), 2);
  EXPECT_LT(rows[0].at("reads"), rows[1].at("reads"));
  EXPECT_LT(rows[2].at("reads"), rows[3].at("reads"));
  EXPECT_LE(rows[0].at("recall"), rows[1].at("recall"));
  const auto results =
      lines_of(run_ok(dir(), {"search", "--index", "index", "--queries", "q.u8bin", "--list-size",
                              "100", "--slack", "-0.5", "--json", "--quiet"})
                   .out);
  ASSERT_EQ(results.size(), kQueries);
  EXPECT_EQ(results[0].at("stop"), "bound");
  EXPECT_EQ(results[0].at("labels").size(), 10U);
  expect_error(dir(), {"search", "--index", "index", "--queries", "q.u8bin", "--slack", "nan"}, 1,
               {"invalid_argument", "slack", "nan"});
}

TEST_F(IndexVerbs, RecallWithoutGroundTruthComputesTheSame) {
  const auto with = lines_of(
      run_ok(dir(), recall_args({"--groundtruth", "truth.bin", "--list-size", "40", "--json"}))
          .out);
  const auto without = lines_of(run_ok(dir(), recall_args({"--list-size", "40", "--json"})).out);
  ASSERT_EQ(with.size(), 1U);
  ASSERT_EQ(without.size(), 1U);
  EXPECT_EQ(with[0].at("recall"), without[0].at("recall"));
  EXPECT_EQ(with[0].at("reads"), without[0].at("reads"));
}

TEST_F(IndexVerbs, RecallOfBothBackendsIsTheSame) {
  const auto rows_of = [](const std::string& io) {
    return lines_of(run_ok(dir(), recall_args({"--groundtruth", "truth.bin", "--list-size", "40",
                                               "--json", "--io", io, "--threads", "2"}))
                        .out);
  };
  const auto pread = rows_of("pread");
  ASSERT_EQ(pread.size(), 1U);
  const Ran uring = run_cairn(dir(), recall_args({"--groundtruth", "truth.bin", "--list-size", "40",
                                                  "--json", "--io", "uring"}));
  if (uring.code != 0) GTEST_SKIP() << "no io_uring here: " << uring.err;
  EXPECT_EQ(lines_of(uring.out)[0].at("recall"), pread[0].at("recall"));
}

TEST_F(IndexVerbs, RecallInABatchIsTheSame) {
  // The base as queries: more than one slice of a batch.
  const auto rows_of = [](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"recall",      "--index", "index",  "--queries", "base.u8bin",
                                     "--list-size", "40",      "--json", "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return lines_of(run_ok(dir(), args).out);
  };
  const auto one = rows_of({}), batch = rows_of({"--batch", "16"}),
             threads = rows_of({"--batch", "16", "--threads", "2"});
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch[0].at("recall"), one[0].at("recall"));
  EXPECT_EQ(batch[0].at("code_distances"), one[0].at("code_distances"));
  EXPECT_EQ(batch[0].at("mean_us"), 0);
  EXPECT_EQ(threads.at(0).at("recall"), one[0].at("recall"));
}

TEST_F(IndexVerbs, RecallRefusesAGroundTruthThatIsPadded) {
  const auto writer = must(formats::ResultWriter::create(
      dir().file("padded.bin"), {.queries = static_cast<std::uint32_t>(kQueries), .k = 10}));
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    const std::uint32_t have = i == 7 ? 4 : 10;  // row 7 has four neighbours
    const std::vector<std::uint32_t> ids(have, i);
    const std::vector<float> distances(have, 1e6F);
    ASSERT_TRUE(io::ok(writer->write(ids, distances)));
  }
  ASSERT_TRUE(io::ok(writer->finish()));
  expect_error(dir(), recall_args({"--groundtruth", "padded.bin"}), 1,
               {"corrupt", "row 7 of 'padded.bin'", "inf", "10 true neighbours"});
}

TEST_F(IndexVerbs, RecallTableNamesItsColumns) {
  const std::string table = run_ok(dir(), recall_args({"--list-size", "40"})).out;
  for (const char* column :
       {"list", "slack", "asked", "threads", "recall", "QPS", "p50", "p99", "p99.9", "reads",
        "rounds", "cache hits", "shared", "core us", "codes", "refined", "exact", "index RAM"})
    EXPECT_NE(table.find(column), std::string::npos) << column;
}

TEST_F(IndexVerbs, LabelsAreReturned) {
  {
    std::ofstream labels(dir().file("labels.txt"));
    for (std::uint64_t i = 0; i < 2000; ++i) labels << i * 1000000000000 + 7 << '\n';
  }
  run_ok(dir(), {"build", "--input", "base.u8bin", "--index", "labelled", "--codes", "8",
                 "--labels", "labels.txt", "--calibration-rows", "0", "--quiet"});
  const auto results = lines_of(run_ok(dir(), {"search", "--index", "labelled", "--queries",
                                               "base.u8bin", "-k", "1", "--json", "--quiet"})
                                    .out);
  ASSERT_EQ(results.size(), 2000U);
  EXPECT_EQ(results[1234].at("labels")[0], 1234 * 1000000000000 + 7);
  const Ran ran = run_cairn(dir(), {"search", "--index", "labelled", "--queries", "q.u8bin",
                                    "--output", "long.bin", "--quiet"});
  EXPECT_EQ(ran.code, 1) << "labels beyond 32 bits do not fit big-ann's format";
  EXPECT_NE(ran.err.find("'long.bin'"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(dir().file("long.bin")));
}

TEST_F(IndexVerbs, BadLabelsAreRefusedByLine) {
  const auto build_with = [](const std::string& text, const std::vector<std::string>& parts) {
    std::ofstream(dir().file("bad.txt")) << text;
    expect_error(dir(),
                 {"build", "--input", "five.u8bin", "--index", "bad", "--codes", "8", "--labels",
                  "bad.txt", "--quiet"},
                 1, parts);
    EXPECT_FALSE(std::filesystem::exists(dir().file("bad")));
  };
  run_ok(dir(), {"convert", "base.u8bin", "five.u8bin", "--take", "5"});
  build_with("1\n2\nthree\n4\n5\n", {"'bad.txt'", "three", "line 3"});
  build_with("1\n2\n3\n4\n", {"'bad.txt'", "4 labels", "expected 5"});
  build_with("1\n2\n3\n4\n5\n6\n", {"'bad.txt'", "more than 5"});
  build_with("1\n2\n3\n-4\n5\n", {"'-4'", "line 4"});
  build_with("1\n2\n3\n2\n5\n", {"2"});
}

// Names of files are bytes, JSON is UTF-8.
TEST_F(IndexVerbs, JsonOfNamesThatAreNoUtf8IsStillJson) {
  const std::string name = "na\xff\xfeme";
  std::filesystem::copy(dir().file("index"), dir().file(name));
  const Ran explained =
      run_ok(dir(), {"explain", "--index", name, "--queries", "q.u8bin", "--row", "1", "--json"});
  EXPECT_EQ(lines_of(explained.out).size(), 1U) << explained.out;
  std::filesystem::remove(dir().file(name + "/MANIFEST"));
  const Ran verified = run_cairn(dir(), {"verify", name, "--json"});
  EXPECT_EQ(verified.code, 1) << verified.err;
  ASSERT_EQ(lines_of(verified.out).size(), 1U) << verified.err;
  for (const Ran& ran : {explained, verified})
    EXPECT_NE(ran.out.find("na\xef\xbf\xbd\xef\xbf\xbdme"), std::string::npos) << ran.out;
}

TEST_F(IndexVerbs, ErrorsNameWhatWasFoundAndExpected) {
  expect_error(dir(), {"build", "--input", "base.u8bin", "--index", "index", "--quiet"}, 1,
               {"already_exists", "'index'"});
  expect_error(dir(), {"search", "--index", "none", "--queries", "q.u8bin"}, 1,
               {"not_found", "open index 'none'", "no MANIFEST there", "build has ended"});
  expect_error(dir(), {"search", "--index", "index", "--queries", "truth.bin"}, 1,
               {"extension .bin"});
  run_ok(dir(), {"generate", "--count", "3", "--dim", "8", "--dtype", "u8", "--seed", "1",
                 "--output", "narrow.u8bin"});
  expect_error(dir(), {"search", "--index", "index", "--queries", "narrow.u8bin", "--quiet"}, 1,
               {"'narrow.u8bin'", "u8 of dimension 8", "u8 of dimension 32"});
  expect_error(dir(), recall_args({"--groundtruth", "truth.bin", "-k", "21"}), 2, {"-k"});
  expect_error(dir(),
               {"recall", "--index", "index", "--queries", "q.u8bin", "-k", "21", "--groundtruth",
                "truth.bin", "--quiet"},
               1, {"'truth.bin'", "k = 20", "k at least 21"});
  expect_error(dir(), recall_args({"--memory", "1B/v"}), 1, {"over_limit"});
}

}  // namespace
}  // namespace cairn::tools
