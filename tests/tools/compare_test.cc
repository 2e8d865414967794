// cairn compare, against what hnswlib and FAISS themselves find in the files they wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "tests/tools/old_samples.h"
#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;
using Args = std::vector<std::string>;

constexpr std::uint32_t kDim = 16, kEffort = 20;
constexpr std::size_t kRows = 1000, kQueries = 50;

const std::string kAll = std::to_string(kRows);  // ef or list

Args operator+(Args a, const Args& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Rows rows_of(std::size_t count, std::uint32_t dim, std::uint64_t seed, bool bytes) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Rows rows{dim, std::vector<float>(count * dim)};
  for (float& value : rows.values)
    value = bytes ? static_cast<float>(random() % 256) : normal(random) + 0.2F;
  return rows;
}

Sample sample_of(Metric metric, bool bytes = false, std::size_t count = kRows) {
  Sample sample{.rows = rows_of(count, kDim, 1, bytes), .labels = {}, .metric = metric};
  for (std::size_t i = 0; i < count; ++i) sample.labels.push_back(7 + 3 * (i ^ 5));
  sample.queries = rows_of(kQueries, kDim, 2, bytes);
  sample.effort = kEffort;
  return sample;
}

void write_queries(const ScratchDir& dir, const Rows& rows, bool bytes = false) {
  std::ofstream out(dir.file(bytes ? "q.u8bin" : "q.fbin"), std::ios::binary);
  const std::uint32_t head[2] = {static_cast<std::uint32_t>(rows.count()), rows.dim};
  out.write(reinterpret_cast<const char*>(head), sizeof head);
  if (!bytes)
    out.write(reinterpret_cast<const char*>(rows.values.data()),
              static_cast<std::streamsize>(rows.values.size() * sizeof(float)));
  else
    for (const float value : rows.values) out.put(static_cast<char>(static_cast<int>(value)));
}

double distance(const float* a, const float* b, std::uint32_t dim, Metric metric) {
  double l2 = 0, dot = 0, aa = 0, bb = 0;
  for (std::uint32_t i = 0; i < dim; ++i) {
    const double x = double{a[i]}, y = double{b[i]};
    l2 += (x - y) * (x - y);
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (metric == Metric::l2) return l2;
  return metric == Metric::ip ? -dot : -dot / std::sqrt(aa * bb);
}

/// Share of the true k nearest, over what is not deleted, in double.
double recall_of(const Sample& sample, const Found& found) {
  std::size_t hits = 0;
  for (std::size_t q = 0; q < found.size(); ++q) {
    std::vector<std::pair<double, Label>> all;
    for (std::size_t i = 0; i < sample.rows.count(); ++i)
      if (std::ranges::find(sample.deleted, sample.labels[i]) == sample.deleted.end())
        all.emplace_back(distance(sample.queries.row(q), sample.rows.row(i), kDim, sample.metric),
                         sample.labels[i]);
    std::partial_sort(all.begin(), all.begin() + sample.k, all.end());
    std::set<Label> truth;
    for (std::uint32_t i = 0; i < sample.k; ++i) truth.insert(all[i].second);
    for (const Label label : found[q]) hits += truth.contains(label) ? 1 : 0;
  }
  return static_cast<double>(hits) / static_cast<double>(found.size() * sample.k);
}

void import(const ScratchDir& dir, const std::string& from, const Args& more) {
  run_ok(dir, Args{"import", "--from", from, "old", "--index", "index", "--codes", "8", "--quiet"} +
                  more);
}

Args hnswlib_shape(Metric metric, const std::string& dtype = "f32") {
  return {"--dim", std::to_string(kDim), "--dtype",
          dtype,   "--metric",           std::string{metric_name(metric)}};
}

Args compare_args(const std::string& from, const Args& more, const std::string& queries) {
  return Args{"compare", "--index", "index",     "--old", "old",
              "--from",  from,      "--queries", queries, "--quiet"} +
         more;
}

json compare(const ScratchDir& dir, const std::string& from, const Args& more,
             const std::string& queries = "q.fbin") {
  return json::parse(run_ok(dir, compare_args(from, more + Args{"--json"}, queries)).out);
}

const json& row_at(const json& rows, const std::string& name, std::uint32_t effort) {
  for (const json& row : rows)
    if (row.at(name) == effort) return row;
  ADD_FAILURE() << "no row at " << effort << " in " << rows.dump();
  return rows[0];
}

/// An hnswlib file, the import and the queries.
Found make_hnswlib(const ScratchDir& dir, const Sample& sample,
                   const std::string& calibration_rows = "0") {
  Found found = write_hnswlib(dir.file("old"), sample);
  import(dir, "hnswlib",
         hnswlib_shape(sample.metric) + Args{"--calibration-rows", calibration_rows});
  write_queries(dir, sample.queries);
  return found;
}

class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_libraries()) GTEST_SKIP() << "built without hnswlib and FAISS";
  }

  ScratchDir dir_;
};

/// One file of hnswlib's l2 and its import, made once.
class CompareOne : public Compare {
 protected:
  static void SetUpTestSuite() {
    if (!have_libraries()) return;
    folder_ = std::make_unique<ScratchDir>();
    make_hnswlib(*folder_, sample_of(Metric::l2));
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static const ScratchDir& dir() { return *folder_; }

 private:
  static inline std::unique_ptr<ScratchDir> folder_;
};

TEST_F(Compare, HnswlibFindsWhatItFindsByItself) {
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    SCOPED_TRACE(metric_name(metric));
    std::filesystem::remove_all(dir_.file("index"));
    Sample sample = sample_of(metric);
    for (std::size_t i = 0; i < kRows; i += 9) sample.deleted.push_back(sample.labels[i]);
    const Found found = make_hnswlib(dir_, sample);
    const json seen = compare(dir_, "hnswlib", {"--ef", "20"});
    // hnswlib's own distances and ours differ by rounding alone.
    EXPECT_NEAR(row_at(seen.at("old").at("rows"), "ef", kEffort).at("recall"),
                recall_of(sample, found), 0.0021);
    EXPECT_EQ(seen.at("old").at("deleted"), sample.deleted.size());
    EXPECT_EQ(seen.at("own").at("vectors"), kRows - sample.deleted.size());
    EXPECT_EQ(seen.at("same_vectors").at("found"), seen.at("same_vectors").at("looked_at"));
    EXPECT_EQ(seen.at("same_vectors").at("equal"), seen.at("same_vectors").at("looked_at"));
    const json& matched = seen.at("matched");
    EXPECT_TRUE(matched.at("reached"));
    EXPECT_GE(matched.at("own").at("recall"), matched.at("old").at("recall"));
  }
}

TEST_F(CompareOne, WhereBothAreExactTheyAgree) {
  const json seen = compare(dir(), "hnswlib", {"--ef", kAll, "--curve", kAll, "--list-size", kAll});
  const json& old = seen.at("old").at("rows");
  ASSERT_EQ(old.size(), 1U);
  EXPECT_EQ(old[0].at("recall"), 1.0);
  EXPECT_EQ(old[0].at("overlap"), 1.0);
  EXPECT_EQ(row_at(seen.at("own").at("rows"), "list_size", kRows).at("overlap"), 1.0);
  EXPECT_EQ(seen.at("matched").at("worse"), 0);
  EXPECT_EQ(seen.at("worst").size(), 20U);
}

TEST_F(CompareOne, TheLeastListIsFound) {
  const json seen = compare(dir(), "hnswlib", {"--ef", "100", "--list-size", "10,300"});
  const json& matched = seen.at("matched");
  const std::uint32_t least = matched.at("own").at("list_size");
  ASSERT_GT(least, 10U);
  const json& below = row_at(seen.at("own").at("rows"), "list_size", least - 1);
  EXPECT_LT(below.at("recall"), matched.at("old").at("recall"));
}

TEST_F(Compare, RecallIsAskedForWhereItIsCalibrated) {
  make_hnswlib(dir_, sample_of(Metric::l2), "20");
  const json seen = compare(dir_, "hnswlib", {"--ef", "20", "--queries-max", "30"});
  EXPECT_TRUE(seen.at("own").at("calibrated"));
  EXPECT_EQ(seen.at("own").at("rows")[0].at("asked").is_null(), false);
  EXPECT_EQ(seen.at("queries"), 30);
  // Beyond what was calibrated lists go on.
  const json all = compare(dir_, "hnswlib", {"--ef", kAll, "--recall", "0.9"});
  EXPECT_TRUE(all.at("matched").at("reached"));
  EXPECT_EQ(all.at("matched").at("own").at("recall"), 1.0);
}

TEST_F(Compare, Bytes) {
  const Sample sample = sample_of(Metric::l2, true);
  const Found found = write_hnswlib_u8(dir_.file("old"), sample);
  import(dir_, "hnswlib", hnswlib_shape(Metric::l2, "u8") + Args{"--calibration-rows", "0"});
  write_queries(dir_, sample.queries, true);
  const json seen = compare(dir_, "hnswlib", {"--ef", "20"}, "q.u8bin");
  EXPECT_NEAR(row_at(seen.at("old").at("rows"), "ef", kEffort).at("recall"),
              recall_of(sample, found), 1e-9);
}

TEST_F(Compare, Faiss) {
  struct Case {
    const char *factory, *effort_name;
    Metric metric;
    bool labelled;
  };
  for (const Case& is :
       {Case{"IDMap,HNSW8,Flat", "efSearch", Metric::l2, true},
        Case{"HNSW8,Flat", "efSearch", Metric::ip, false},
        Case{"IVF20,Flat", "nprobe", Metric::l2, true}, Case{"IDMap,Flat", "", Metric::ip, true}}) {
    SCOPED_TRACE(is.factory);
    std::filesystem::remove_all(dir_.file("index"));
    Sample sample = sample_of(is.metric);
    sample.effort = 4;
    if (!is.labelled)
      for (std::size_t i = 0; i < kRows; ++i) sample.labels[i] = i;
    const Found found = write_faiss(dir_.file("old"), is.factory, sample);
    import(dir_, "faiss", {"--calibration-rows", "0"});
    write_queries(dir_, sample.queries);
    // What the file says it is searched with.
    const json seen = compare(dir_, "faiss", {});
    EXPECT_EQ(seen.at("old").at("effort_name"), is.effort_name);
    if (*is.effort_name != '\0')
      EXPECT_EQ(seen.at("matched").at("old").at(is.effort_name), sample.effort);
    else
      EXPECT_EQ(seen.at("old").at("rows").size(), 1U);
    EXPECT_NEAR(seen.at("matched").at("old").at("recall"), recall_of(sample, found), 1e-9);
  }
}

TEST_F(Compare, DecodedVectorsAreNotMeasuredByOthers) {
  const Sample sample = sample_of(Metric::l2);
  write_faiss(dir_.file("old"), "SQ8", sample);
  import(dir_, "faiss", {"--calibration-rows", "0"});
  write_queries(dir_, sample.queries);
  EXPECT_GT(compare(dir_, "faiss", {}).at("matched").at("old").at("recall"), 0.99);
  expect_error(dir_, compare_args("faiss", {"--groundtruth", "none"}, "q.fbin"), 1,
               {"invalid_argument", "old", "8-bit", "--groundtruth left out"});
}

TEST_F(CompareOne, TheTextEndsInTheSentence) {
  const std::string text = run_ok(dir(), compare_args("hnswlib", {"--ef", "40"}, "q.fbin")).out;
  const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
  EXPECT_EQ(text.find("Cairn ", last), last) << text;
  EXPECT_NE(text.find("hnswlib at ef 40", last), std::string::npos) << text;
  for (const char* part : {"hnswlib, ef 10 ", "hnswlib, ef 640 ", "Cairn, list 10 ", "resident",
                           "query  hnswlib  Cairn  overlap"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST_F(CompareOne, WrongInputsAreNamed) {
  const Sample sample = sample_of(Metric::l2);
  const auto expect = [&](const std::string& file, const std::vector<std::string>& parts) {
    expect_error(dir(),
                 {"compare", "--index", "index", "--old", file, "--from", "hnswlib", "--queries",
                  "q.fbin", "--quiet"},
                 1, parts);
  };
  Sample other = sample;
  for (Label& label : other.labels) label += 1'000'000;
  write_hnswlib(dir().file("labels"), other);
  expect("labels", {"invalid_argument", "labels", "none of 256 looked at", "imported from"});
  other = sample;
  other.rows = rows_of(kRows, kDim, 99, false);
  write_hnswlib(dir().file("model"), other);
  expect("model", {"invalid_argument", "model", "0 of 256 looked at equal", "imported from"});
  other = sample;
  other.rows = rows_of(kRows, kDim + 1, 1, false);
  other.queries = rows_of(1, kDim + 1, 2, false);
  write_hnswlib(dir().file("dims"), other);
  expect("dims", {"invalid_argument", "dims", "dim 17 of f32"});
  expect("absent", {"not_found", "absent"});
  std::filesystem::resize_file(dir().file("dims"), 50'000);
  expect("dims", {"corrupt", "dims"});
  expect_error(dir(), compare_args("usearch", {}, "q.fbin"), 1,
               {"unsupported", "Debian does not package", "cairn import"});
}

TEST_F(Compare, SpacesThatHnswlibDoesNotHave) {
  const Sample sample = sample_of(Metric::l2, true, 300);
  write_hnswlib_u8(dir_.file("old"), sample);
  import(dir_, "hnswlib", hnswlib_shape(Metric::cosine, "u8") + Args{"--calibration-rows", "0"});
  write_queries(dir_, sample.queries, true);
  expect_error(dir_, compare_args("hnswlib", {}, "q.u8bin"), 1,
               {"unsupported", "cosine over u8", "no other spaces"});
}

/// Where the links above level 0 begin, by the header.
std::size_t upper_links(const std::string& bytes) {
  std::uint64_t elements = 0, element_bytes = 0;
  std::memcpy(&elements, bytes.data() + 16, sizeof elements);
  std::memcpy(&element_bytes, bytes.data() + 24, sizeof element_bytes);
  return 96 + static_cast<std::size_t>(elements * element_bytes);
}

TEST_F(CompareOne, LinksToALevelThatIsNotThereAreFoundBeforeTheSearch) {
  std::string bytes = read_text(dir().file("old"));
  std::size_t at = upper_links(bytes);
  std::uint32_t low = 0, size = 0;
  bool lowest = false, changed = false;
  for (std::uint32_t element = 0; element < kRows; ++element, at += 4 + size) {
    std::memcpy(&size, bytes.data() + at, sizeof size);
    if (size == 0 && !lowest) low = element, lowest = true;
    if (size == 0 || !lowest || changed || bytes[at + 4] == 0) continue;
    std::memcpy(bytes.data() + at + 8, &low, sizeof low);
    changed = true;
  }
  ASSERT_TRUE(changed);
  std::ofstream(dir().file("bad"), std::ios::binary) << bytes;
  expect_error(dir(),
               {"compare", "--index", "index", "--old", "bad", "--from", "hnswlib", "--queries",
                "q.fbin", "--quiet"},
               1, {"corrupt", "bad", "level 1", "levels up to 0"});
}

TEST_F(Compare, FaissLinksToALevelThatIsNotThere) {
  Sample sample = sample_of(Metric::l2, false, 300);
  for (std::size_t i = 0; i < sample.labels.size(); ++i) sample.labels[i] = i;
  write_faiss_with_bad_link(dir_.file("old"), sample);
  import(dir_, "faiss", {"--calibration-rows", "0"});
  write_queries(dir_, sample.queries);
  expect_error(dir_, compare_args("faiss", {}, "q.fbin"), 1,
               {"corrupt", "old", "at level 1", "elements of the level"});
}

}  // namespace
}  // namespace cairn::tools
