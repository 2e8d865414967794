// bench/compare on a small set: what it writes agrees with itself and with the ground truth.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/tools/run_cairn.h"
#include "tools/formats/result_file.h"

namespace cairn::tools {
namespace {

using io::must;
using io::ScratchDir;

constexpr std::size_t kQueries = 40, kK = 10;

/// Rows of a CSV file by title; quotes may hold commas.
std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
  std::vector<std::string> titles;
  std::vector<std::map<std::string, std::string>> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted)
        cells.emplace_back();
      else if (c != '"')
        cells.back() += c;
    }
    if (titles.empty()) {
      titles = cells;
      continue;
    }
    EXPECT_EQ(cells.size(), titles.size()) << line;
    rows.emplace_back();
    for (std::size_t i = 0; i < titles.size(); ++i) rows.back()[titles[i]] = cells.at(i);
  }
  return rows;
}

/// One result file of ann-benchmarks.
struct AnnFile {
  std::vector<float> distances, times;
  std::vector<std::int32_t> neighbors;
  std::map<std::string, std::string> texts;
  std::map<std::string, double> numbers;
  std::int8_t batch = -1;
};

template <class T>
std::vector<T> read_dataset(hid_t file, const char* name, hid_t type,
                            const std::vector<hsize_t>& shape) {
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
  std::vector<hsize_t> found(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, found.data(), nullptr);
  EXPECT_EQ(found, shape) << name;
  std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  EXPECT_GE(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0) << name;
  H5Sclose(space);
  H5Dclose(set);
  return values;
}

void read_attribute(hid_t file, const std::string& name, hid_t type, void* value) {
  const hid_t attribute = H5Aopen(file, name.c_str(), H5P_DEFAULT);
  EXPECT_GE(attribute, 0) << name;
  EXPECT_GE(H5Aread(attribute, type, value), 0) << name;
  H5Aclose(attribute);
}

AnnFile read_ann(const std::string& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  EXPECT_GE(file, 0) << path;
  AnnFile ann;
  ann.distances = read_dataset<float>(file, "distances", H5T_NATIVE_FLOAT, {kQueries, kK});
  ann.neighbors = read_dataset<std::int32_t>(file, "neighbors", H5T_NATIVE_INT32, {kQueries, kK});
  ann.times = read_dataset<float>(file, "times", H5T_NATIVE_FLOAT, {kQueries});
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  H5Tset_cset(text, H5T_CSET_UTF8);
  for (const char* name : {"algo", "name", "dataset", "distance"}) {
    char* value = nullptr;
    read_attribute(file, name, text, &value);
    ann.texts[name] = value == nullptr ? "" : value;
    H5free_memory(value);
  }
  H5Tclose(text);
  for (const char* name :
       {"count", "best_search_time", "build_time", "index_size", "candidates", "run_count"})
    read_attribute(file, name, H5T_NATIVE_DOUBLE, &ann.numbers[name]);
  const hid_t attribute = H5Aopen(file, "batch_mode", H5P_DEFAULT), type = H5Aget_type(attribute);
  EXPECT_EQ(H5Tget_class(type), H5T_ENUM) << "h5py takes nothing else for a bool";
  H5Aread(attribute, type, &ann.batch);
  H5Tclose(type);
  H5Aclose(attribute);
  H5Fclose(file);
  return ann;
}

/// As ann-benchmarks counts it, but that squares of whole numbers are compared as such.
double recall_of(const AnnFile& ann, const std::vector<float>& kth) {
  std::size_t hits = 0;
  for (std::size_t i = 0; i < ann.distances.size(); ++i)
    hits += std::round(ann.distances[i] * ann.distances[i]) <= kth[i / kK];
  return static_cast<double>(hits) / static_cast<double>(ann.distances.size());
}

class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    run_ok(dir_, {"generate", "--count", "3000", "--dim", "32", "--dtype", "u8", "--seed", "5",
                  "--output", "base.u8bin", "--queries", std::to_string(kQueries), "--query-output",
                  "q.u8bin"});
  }
  Ran compare(const std::string& more) {
    return run_shell(dir_, std::string("'") + COMPARE_BINARY +
                               "' --input base.u8bin --queries q.u8bin --threads 2 " + more);
  }
  ScratchDir dir_;
};

TEST_F(Compare, ResultFilesAgreeWithTheTable) {
  const Ran ran = compare(
      "--output out --no-plots --memory 120B/v,400B/v --list-size 10,20 --slack 0.1 "
      "--slack-list-size 64 --ef 10,40 --nprobe 1,8");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, read_text(dir_.file("out/table.txt")));
  const auto truth = must(formats::ResultReader::open(dir_.file("out/groundtruth.bin")));
  std::vector<float> kth;
  for (std::uint32_t i = 0; i < kQueries; ++i) {
    std::vector<std::uint32_t> ids(kK);
    std::vector<float> distances(kK);
    ASSERT_TRUE(truth->read(i, ids, distances));
    kth.push_back(distances.back());
  }
  const auto rows = read_csv(dir_.file("out/results.csv"));
  ASSERT_EQ(rows.size(), 2U * 2 * 3 + 4 * 2);
  std::map<std::string, int> systems;
  for (auto row : rows) {
    ++systems[row["system"]];
    const AnnFile ann = read_ann(dir_.file("out/" + row["result_file"]));
    EXPECT_NEAR(recall_of(ann, kth), std::stod(row["recall"]), 1e-9) << row["result_file"];
    EXPECT_EQ(ann.texts.at("dataset"), "base");
    EXPECT_EQ(ann.texts.at("distance"), "euclidean");
    EXPECT_EQ(ann.numbers.at("count"), kK);
    EXPECT_EQ(ann.batch, row["batch"] != "0");
    EXPECT_NEAR(1 / ann.numbers.at("best_search_time"), std::stod(row["qps"]), 1e-3);
    EXPECT_NEAR(ann.numbers.at("index_size") * 1024, std::stod(row["index_ram_bytes"]), 1e-3);
    EXPECT_GT(ann.times[0], 0);
    EXPECT_GT(std::stod(row["cpu_us"]), 0);
    EXPECT_EQ(std::stod(row["reads"]) > 0, row["system"] == "cairn") << row["result_file"];
  }
  EXPECT_EQ(systems, (std::map<std::string, int>{{"cairn", 12},
                                                 {"hnswlib", 2},
                                                 {"hnswlib-u8", 2},
                                                 {"faiss-ivfpq", 2},
                                                 {"faiss-hnsw", 2}}));
}

TEST_F(Compare, DrawsPlots) {
  if (std::system("gnuplot -e 'set terminal svg; set terminal pngcairo' 2>/dev/null") != 0)
    GTEST_SKIP() << "no gnuplot with svg and pngcairo";
  const std::string less = "--only cairn,hnswlib-u8 --memory 120B/v --list-size 10,20 --ef 10,40 ";
  const Ran ran = compare("--output out " + less);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err.find("warning"), std::string::npos) << ran.err;
  for (const std::string name : {"recall-qps", "recall-reads", "memory-reads"}) {
    EXPECT_NE(read_text(dir_.file("out/" + name + ".svg")).find("</svg>"), std::string::npos);
    EXPECT_EQ(read_text(dir_.file("out/" + name + ".png")).substr(1, 3), "PNG") << name;
  }
  EXPECT_NE(read_text(dir_.file("out/recall-qps.svg")).find("hnswlib-u8"), std::string::npos);
  const std::string table = read_text(dir_.file("out/table.txt"));
  EXPECT_EQ(compare("--output out --again").out, table) << "nothing is measured anew";
}

TEST_F(Compare, RefusesBeforeTheWorkBegins) {
  const auto refused = [&](const std::string& more, int code, const std::string& part) {
    const Ran ran = compare(more);
    EXPECT_EQ(ran.code, code) << more;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find("build"), std::string::npos) << ran.err;
  };
  refused("--output out --only scann --no-plots", 2, "no system is called 'scann'");
  refused("--output . --no-plots", 1, "a new or empty folder");
  refused("--output out --no-plots --ef 5", 2, "at least k = 10");
  refused("--output out --no-plots --index nowhere", 1, "not_found");
  refused("--output out --no-plots --queries out.u8bin", 1, "out.u8bin");
  const Ran ran = run_shell(dir_, std::string("PATH=/nowhere '") + COMPARE_BINARY +
                                      "' --input base.u8bin --queries q.u8bin --output out");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("no gnuplot"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(dir_.file("out")));
}

}  // namespace
}  // namespace cairn::tools
