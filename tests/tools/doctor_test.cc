// cairn doctor: four planted faults, each named first, and none where there is none.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "tests/tools/plant.h"
#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

constexpr std::size_t kQueries = 300;
using Args = std::vector<std::string>;

Args operator+(Args a, const Args& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Two indexes of 8,000 vectors of 64 bytes, of two data sets; faults go into copies.
class Doctor : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchDir>();
    generate("base.u8bin", "q.u8bin", "3");
    generate("other.u8bin", "q2.u8bin", "4");
    build("base.u8bin", "index", "300");
    build("other.u8bin", "other", "0");
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static const ScratchDir& dir() { return *folder_; }

  static void generate(const std::string& base, const std::string& queries,
                       const std::string& seed) {
    run_ok(dir(),
           {"generate", "--count", "8000", "--dim", "64", "--dtype", "u8", "--seed", seed,
            "--output", base, "--queries", std::to_string(kQueries), "--query-output", queries});
  }
  static void build(const std::string& base, const std::string& index, const std::string& rows) {
    run_ok(dir(), {"build", "--input", base, "--index", index, "--codes", "8", "--refine", "4",
                   "--nav-edges", "8", "--calibration-rows", rows, "--quiet"});
  }
  static std::string copy_of_index(const std::string& name) {
    std::filesystem::copy(dir().file("index"), dir().file(name),
                          std::filesystem::copy_options::recursive);
    return dir().file(name);
  }

  static json examine(const std::string& index, const Args& more) {
    const Ran ran = run_ok(dir(), Args{"doctor", "--index", index, "--json", "--quiet"} + more);
    return json::parse(ran.out);
  }
  static std::string page(const std::string& index, const Args& more) {
    return run_ok(dir(), Args{"doctor", "--index", index, "--quiet"} + more).out;
  }
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  /// Share of the missed neighbours of a set.
  static double part_of(const json& set, const std::string& reason) {
    return set.at("missed_for").at(reason).get<double>() / set.at("missed").get<double>();
  }
  static std::string first_finding(const json& seen) {
    return seen.at("findings").empty() ? "none" : seen.at("findings")[0].at("name");
  }

 private:
  static inline std::unique_ptr<ScratchDir> folder_;
};

TEST_F(Doctor, AHealthyIndexIsHealthy) {
  for (const Args& how : {Args{}, Args{"--queries", "q.u8bin"},
                          Args{"--queries", "q.u8bin", "--memory", "35B/v", "--recall", "0.9"}}) {
    const json seen = examine("index", how);
    EXPECT_EQ(seen.at("verdict"), "healthy") << seen.dump(1);
    EXPECT_EQ(seen.at("index").at("unreachable"), 0);
    EXPECT_EQ(seen.at("calibration").at("state"), "fits");
    EXPECT_NEAR(seen.at("rows").at("recall").get<double>(), seen.at("wanted").get<double>(), 0.03);
    std::uint64_t missed = 0;
    for (const auto& [reason, count] : seen.at("rows").at("missed_for").items())
      missed += count.get<std::uint64_t>();
    EXPECT_EQ(missed, seen.at("rows").at("missed"));
  }
  const std::string text = page("index", {"--queries", "q.u8bin"});
  EXPECT_EQ(first_line(text).rfind("HEALTHY: recall@10 0.9", 0), 0U) << text;
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 100U) << line;
  EXPECT_LE(count, 45U);
}

TEST_F(Doctor, EdgesCut) {
  const std::string cut = copy_of_index("cut");
  // Whole stretches of 64 slots, so that no neighbour in the same block is found with another.
  cut_edges(cut, [](std::uint32_t slot) { return slot / 64 % 2 == 1; });
  const json seen = examine("cut", {"--queries", "q.u8bin"});
  EXPECT_EQ(first_finding(seen), "not_reachable") << seen.dump(1);
  EXPECT_EQ(seen.at("verdict"), "ill");
  EXPECT_GT(seen.at("index").at("unreachable"), 1000);
  EXPECT_GT(part_of(seen.at("queries"), "not_reachable"), 0.5);
  EXPECT_LT(seen.at("queries").at("recall"), 0.9);
  EXPECT_EQ(first_line(page("cut", {})), "ILL: vectors are out of reach");
  // What it counts is what verify counts.
  const Ran verified = run_cairn(dir(), {"verify", "cut", "--json", "--quiet"});
  EXPECT_EQ(json::parse(verified.out).at("unreachable"), seen.at("index").at("unreachable"));
}

TEST_F(Doctor, CodesOfAnotherDataSet) {
  const std::string mixed = copy_of_index("mixed");
  take_codes(mixed, dir().file("other"));
  for (const Args& how : {Args{"--queries", "q.u8bin"}, Args{}, Args{"--list-size", "60"}}) {
    const json seen = examine("mixed", how);
    EXPECT_EQ(first_finding(seen), "misranked") << seen.dump(1);
    EXPECT_EQ(seen.at("verdict"), "ill");
    EXPECT_GT(part_of(seen.at("rows"), "misranked"), 0.6);
    EXPECT_EQ(seen.at("index").at("unreachable"), 0);
  }
  const std::string text = page("mixed", {});
  EXPECT_NE(first_line(text).find("codes are not those of these vectors"), std::string::npos)
      << text;
}

TEST_F(Doctor, ListTooShort) {
  const Args how = {"--queries", "q.u8bin", "--list-size", "10"};
  const json seen = examine("index", how);
  EXPECT_EQ(first_finding(seen), "list_short") << seen.dump(1);
  EXPECT_EQ(seen.at("verdict"), "ill");
  EXPECT_GT(part_of(seen.at("queries"), "list_short"), 0.8);
  EXPECT_LT(seen.at("queries").at("recall"), 0.9);
  EXPECT_EQ(first_line(page("index", how)), "ILL: the list of 10 is too short");
  // What it says of recall is what recall says.
  const Ran ran = run_ok(dir(), {"recall", "--index", "index", "--queries", "q.u8bin",
                                 "--list-size", "10", "--json", "--quiet"});
  EXPECT_NEAR(json::parse(ran.out).at("recall").get<double>(),
              seen.at("queries").at("recall").get<double>(), 0.01);
}

TEST_F(Doctor, QueriesFromElsewhere) {
  const std::vector<std::byte> noise = io::random_bytes(kQueries * 64, 11);
  const std::uint32_t header[] = {kQueries, 64};
  std::ofstream file(dir().file("noise.u8bin"), std::ios::binary);
  file.write(reinterpret_cast<const char*>(header), sizeof header);
  file.write(reinterpret_cast<const char*>(noise.data()),
             static_cast<std::streamsize>(noise.size()));
  file.close();
  const json seen = examine("index", {"--queries", "noise.u8bin"});
  EXPECT_EQ(first_finding(seen), "drift") << seen.dump(1);
  EXPECT_NE(seen.at("verdict"), "healthy");
  EXPECT_GT(seen.at("drift").at("beyond_rows"), 0.9);
  EXPECT_GT(seen.at("drift").at("median_ratio"), 1.5);
  const std::string text = page("index", {"--queries", "noise.u8bin"});
  EXPECT_NE(first_line(text).find("the queries drift from the partitions"), std::string::npos);
  EXPECT_NE(text.find("cairn calibrate --index index --queries noise.u8bin"), std::string::npos);
}

TEST_F(Doctor, SearchesThatEndTooEarly) {
  const json seen =
      examine("index", {"--queries", "q.u8bin", "--list-size", "64", "--slack", "-0.3"});
  EXPECT_EQ(first_finding(seen), "not_read") << seen.dump(1);
  const json few = examine("index", {"--queries", "q.u8bin", "--list-size", "64", "--reads-max",
                                     "3", "--memory", "35B/v"});
  EXPECT_EQ(first_finding(few), "not_read") << few.dump(1);
  EXPECT_LE(few.at("queries").at("reads"), 3);
}

TEST_F(Doctor, ACalibrationThatIsMissingOrDamaged) {
  const json plain = examine("other", {"--queries", "q2.u8bin", "--list-size", "100"});
  EXPECT_EQ(first_finding(plain), "not_calibrated") << plain.dump(1);
  EXPECT_EQ(plain.at("verdict"), "warning");
  const std::string damaged = copy_of_index("damaged");
  for (const auto& file : std::filesystem::directory_iterator(damaged))
    if (file.path().extension() == ".calibration") std::filesystem::resize_file(file.path(), 4096);
  const json seen = examine("damaged", {"--list-size", "100"});
  EXPECT_EQ(first_finding(seen), "calibration_unreadable") << seen.dump(1);
}

TEST_F(Doctor, AGivenTruthIsTheComputedOne) {
  run_ok(dir(), {"groundtruth", "--input", "base.u8bin", "--queries", "q.u8bin", "-k", "12",
                 "--output", "truth.bin"});
  const Args how = {"--queries", "q.u8bin", "--queries-max", "40"};
  const json computed = examine("index", how);
  const json given = examine("index", how + Args{"--groundtruth", "truth.bin", "--threads", "3"});
  EXPECT_EQ(computed.at("queries").at("searches"), 40);
  EXPECT_EQ(given, computed);
}

TEST_F(Doctor, BadInput) {
  const Args how = {"doctor", "--index", "index", "--quiet"};
  expect_error(dir(), {"doctor", "--index", "nowhere", "--quiet"}, 1, {"not_found", "nowhere"});
  expect_error(dir(), how + Args{"--queries", "none.u8bin"}, 1, {"not_found", "none.u8bin"});
  run_ok(dir(), {"generate", "--count", "20", "--dim", "32", "--dtype", "u8", "--seed", "1",
                 "--output", "short.u8bin"});
  expect_error(dir(), how + Args{"--queries", "short.u8bin"}, 1,
               {"invalid_argument", "short.u8bin", "dimension 32", "dimension 64"});
  expect_error(dir(), {"doctor", "--index", "other", "--recall", "0.9", "--quiet"}, 1,
               {"unsupported", "calibration"});
  expect_error(dir(), how + Args{"--recall", "1.5"}, 1, {"invalid_argument", "recall", "1.5"});
  run_ok(dir(), {"groundtruth", "--input", "other.u8bin", "--queries", "q.u8bin", "-k", "10",
                 "--output", "wrong.bin"});
  expect_error(dir(), how + Args{"--queries", "q.u8bin", "--groundtruth", "wrong.bin"}, 1,
               {"invalid_argument", "true neighbour", "query 0", "that of the index"});
  expect_error(dir(), how + Args{"--queries", "q2.u8bin", "--groundtruth", "q2.u8bin"}, 1,
               {"q2.u8bin"});
  for (const Args& wrong : {Args{"--recall", "0.9", "--list-size", "10"}, Args{"-k", "0"},
                            Args{"--groundtruth", "wrong.bin"}, Args{"--rows", "0"}})
    EXPECT_EQ(run_cairn(dir(), how + wrong).code, 2);
}

/// Normal vectors, which have no clusters, and the metrics of directions.
TEST(DoctorNormal, NoFalseAlarm) {
  const ScratchDir dir;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  constexpr std::uint32_t kDim = 24;
  const auto write = [&](const std::string& name, std::uint32_t count) {
    std::ofstream file(dir.file(name), std::ios::binary);
    const std::uint32_t header[] = {count, kDim};
    file.write(reinterpret_cast<const char*>(header), sizeof header);
    for (std::uint32_t i = 0; i < count * kDim; ++i) {
      const float value = normal(random);
      file.write(reinterpret_cast<const char*>(&value), sizeof value);
    }
  };
  write("base.fbin", 3000);
  write("q.fbin", 200);
  for (const std::string metric : {"l2", "ip", "cosine"}) {
    run_ok(dir,
           {"build", "--input", "base.fbin", "--index", metric, "--metric", metric, "--codes", "12",
            "--refine", "0", "--nav-edges", "8", "--calibration-rows", "300", "--quiet"});
    const json seen = json::parse(
        run_ok(dir, {"doctor", "--index", metric, "--queries", "q.fbin", "--json", "--quiet"}).out);
    EXPECT_EQ(seen.at("verdict"), "healthy") << metric << seen.dump(1);
    EXPECT_NEAR(seen.at("drift").at("median_ratio").get<double>(), 1, 0.1);
  }
}

TEST(DoctorTiny, AFewVectors) {
  const ScratchDir dir;
  run_ok(dir, {"generate", "--count", "5", "--dim", "16", "--dtype", "u8", "--seed", "3",
               "--output", "base.u8bin"});
  run_ok(dir, {"build", "--input", "base.u8bin", "--index", "index", "--calibration-rows", "0",
               "--codes", "4", "--quiet"});
  expect_error(dir, {"doctor", "--index", "index", "--quiet"}, 1,
               {"invalid_argument", "queries", "5 vectors"});
  const json seen = json::parse(run_ok(dir, {"doctor", "--index", "index", "--queries",
                                             "base.u8bin", "-k", "9", "--json", "--quiet"})
                                    .out);
  EXPECT_EQ(seen.at("queries").at("recall"), 1);
  EXPECT_EQ(seen.at("queries").at("k"), 5);
}

}  // namespace
}  // namespace cairn::tools
