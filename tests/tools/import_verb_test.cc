// cairn import and cairn export as a person meets them: indexes that other libraries wrote, and the
// way back.
#include <cairn/types.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

std::string golden(const std::string& name) { return std::string(CAIRN_GOLDEN) + "/" + name; }

std::vector<std::string> with(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

std::vector<std::string> import_args(const std::string& from, const std::string& file,
                                     const std::string& index,
                                     const std::vector<std::string>& more) {
  return with({"import", "--from", from, file, "--index", index, "--codes", "2", "--refine", "0",
               "--calibration-rows", "0"},
              more);
}

json import_json(const ScratchDir& dir, const std::string& from, const std::string& file,
                 const std::string& index, const std::vector<std::string>& more = {}) {
  return json::parse(
      run_ok(dir, with(import_args(from, file, index, more), {"--json", "--quiet"})).out);
}

std::vector<Label> labels_of(const ScratchDir& dir, const std::string& index) {
  run_ok(dir, {"export", "--index", index, "labels.fbin", "--labels", "labels.txt", "--quiet"});
  std::istringstream text(read_text(dir.file("labels.txt")));
  std::vector<Label> labels;
  for (Label label; text >> label;) labels.push_back(label);
  return labels;
}

/// Of a golden file's text: "label deleted level ( links ) vector", the vector in hexadecimal. The
/// rows of a .fbin of what is not deleted, ascending by label.
struct Expected {
  std::vector<Label> labels;
  std::string rows;
};
Expected expected_of(const std::string& name) {
  std::map<Label, std::string> rows;
  std::istringstream text(read_text(golden(name)));
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    Label label = 0;
    int deleted = 0;
    std::string word;
    words >> label >> deleted;
    while (words >> word) {
    }
    if (deleted != 0) continue;
    std::string& row = rows[label];
    for (std::size_t i = 0; i < word.size(); i += 2)
      row += static_cast<char>(std::stoi(word.substr(i, 2), nullptr, 16));
  }
  Expected expected;
  for (const auto& [label, row] : rows) {
    expected.labels.push_back(label);
    expected.rows += row;
  }
  return expected;
}

/// Every label and every vector of the import is what the library had.
void expect_imported(const ScratchDir& dir, const std::string& index, const std::string& text) {
  const Expected expected = expected_of(text);
  EXPECT_EQ(labels_of(dir, index), expected.labels);
  EXPECT_EQ(read_text(dir.file("labels.fbin")).substr(8), expected.rows);
}

TEST(ImportVerb, WhatHnswlibWrote) {
  const ScratchDir dir;
  const std::vector<std::pair<std::string, std::string>> files = {
      {"l2", "l2"}, {"ip", "ip"}, {"cosine", "cosine"}, {"deleted", "l2"}, {"one", "l2"}};
  for (const auto& [name, metric] : files) {
    const std::string file = golden("hnswlib/" + name + ".hnsw");
    const Expected expected = expected_of("hnswlib/" + name + ".txt");
    const std::size_t dim = expected.rows.size() / expected.labels.size() / 4;
    for (const char* graph : {"rebuild", "keep"}) {
      const std::string index = name + "." + graph;
      const json report = import_json(
          dir, "hnswlib", file, index,
          {"--dim", std::to_string(dim), "--dtype", "f32", "--metric", metric, "--graph", graph});
      EXPECT_EQ(report["vectors"], expected.labels.size());
      EXPECT_EQ(report["source"]["graph"], graph);
      EXPECT_EQ(report["source"]["deleted"].get<std::size_t>() + expected.labels.size(),
                report["source"]["elements"].get<std::size_t>());
      expect_imported(dir, index, "hnswlib/" + name + ".txt");
    }
  }
}

TEST(ImportVerb, WhatUSearchWrote) {
  const ScratchDir dir;
  for (const std::string name : {"l2", "ip", "cos", "f64", "removed", "again", "one"})
    for (const char* graph : {"rebuild", "keep"}) {
      const std::string index = name + "." + graph;
      import_json(dir, "usearch", golden("usearch/" + name + ".usearch"), index,
                  {"--graph", graph});
      expect_imported(dir, index, "usearch/" + name + ".txt");
    }
  // Equal keys are told apart by nobody.
  expect_error(dir, import_args("usearch", golden("usearch/multi.usearch"), "m", {"--quiet"}), 1,
               {"label", "element", "one row a label"});
}

TEST(ImportVerb, SaysWhatItFound) {
  const ScratchDir dir;
  const Ran ran = run_cairn(dir, import_args("hnswlib", golden("hnswlib/deleted.hnsw"), "i",
                                             {"--dim", "2", "--dtype", "f32", "--metric", "l2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* part :
       {"hnswlib, M ", " vectors of 2 f32", "deleted and left out", "labels kept"})
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
}

TEST(ImportVerb, WhatTheFileDoesNotSayIsAskedFor) {
  const ScratchDir dir;
  const std::string file = golden("hnswlib/l2.hnsw");
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::vector<std::string>& parts) {
    expect_error(dir, import_args("hnswlib", file, "i", with(more, {"--quiet"})), 1, parts);
    EXPECT_FALSE(std::filesystem::exists(dir.file("i")));
  };
  refused({"--dtype", "f32", "--metric", "l2"}, {"no --dim", "l2.hnsw"});
  refused({"--dim", "8", "--metric", "l2"}, {"no --dtype"});
  const std::size_t dim =
      expected_of("hnswlib/l2.txt").rows.size() / expected_of("hnswlib/l2.txt").labels.size() / 4;
  refused({"--dim", std::to_string(dim), "--dtype", "f32"}, {"no --metric"});
  refused({"--dim", std::to_string(dim + 1), "--dtype", "f32", "--metric", "l2"},
          {"dim " + std::to_string(dim) + " of f32"});
  refused({"--dim", std::to_string(dim), "--dtype", "f32", "--metric", "l2", "--labels", "x"},
          {"--labels"});
  // What a file says is not to be said otherwise.
  const std::string usearch = golden("usearch/l2.usearch");
  expect_error(dir, import_args("usearch", usearch, "i", {"--metric", "ip", "--quiet"}), 1,
               {"metric ip", "found l2"});
  expect_error(dir, import_args("usearch", usearch, "i", {"--dim", "77", "--quiet"}), 1,
               {"dimension 77", "found 4"});
  expect_error(dir, import_args("usearch", usearch, "i", {"--dtype", "u8", "--quiet"}), 1,
               {"dtype u8", "found f32"});
}

TEST(ImportVerb, WhatIsNoIndex) {
  const ScratchDir dir;
  std::ofstream(dir.file("text")) << "this is no index at all, whatever its name says";
  for (const char* from : {"hnswlib", "faiss", "usearch"}) {
    expect_error(dir,
                 import_args(from, "text", "i",
                             {"--dim", "4", "--dtype", "f32", "--metric", "l2", "--quiet"}),
                 1, {"text", "found", "expected"});
    expect_error(dir,
                 import_args(from, "nothing", "i",
                             {"--dim", "4", "--dtype", "f32", "--metric", "l2", "--quiet"}),
                 1, {"not_found", "nothing"});
  }
  expect_error(dir,
               import_args("hnswlib", golden("hnswlib/empty.hnsw"), "i",
                           {"--dim", "4", "--dtype", "f32", "--metric", "l2", "--quiet"}),
               1, {"empty.hnsw"});
  expect_error(dir, import_args("annoy", "text", "i", {}), 2, {"--from"});
}

/// A build, out to hnswlib, in again with its graph, out as vectors: nothing is lost.
TEST(ExportVerb, ThereAndBack) {
  const ScratchDir dir;
  run_ok(dir, {"generate", "--count", "2500", "--dim", "20", "--dtype", "u8", "--seed", "3",
               "--output", "all.u8bin", "--quiet"});
  run_ok(dir, {"build", "--input", "all.u8bin", "--index", "i", "--codes", "8",
               "--calibration-rows", "0", "--quiet"});
  const json out = json::parse(
      run_ok(dir, {"export", "--index", "i", "--to", "hnswlib", "i.hnsw", "--json", "--quiet"})
          .out);
  EXPECT_EQ(out["elements"], 2500);
  EXPECT_EQ(out["dtype"], "u8");
  EXPECT_EQ(out["metric"], "l2");
  EXPECT_GE(out["level_max"], 1);
  const json in =
      import_json(dir, "hnswlib", "i.hnsw", "j",
                  {"--dim", "20", "--dtype", "u8", "--metric", "l2", "--graph", "keep"});
  // But for edges that no longer fit their blocks.
  EXPECT_EQ(in["edges"].get<std::uint64_t>() + in["dropped_edges"].get<std::uint64_t>(),
            out["links"].get<std::uint64_t>());
  EXPECT_LT(in["dropped_edges"].get<std::uint64_t>(), out["links"].get<std::uint64_t>() / 50);
  EXPECT_EQ(in["repair_edges"], 0);
  run_ok(dir, {"export", "--index", "j", "back.u8bin", "--quiet"});
  EXPECT_EQ(read_text(dir.file("back.u8bin")), read_text(dir.file("all.u8bin")));
  // However little of it is held at once.
  const json little = json::parse(
      run_ok(dir, {"export", "--index", "j", "little.u8bin", "--memory", "7K", "--json", "--quiet"})
          .out);
  EXPECT_EQ(little["passes"], 1 + (2500 * 20 + 7 * 1024 - 1) / (7 * 1024));
  EXPECT_TRUE(little["labels_are_rows"]);
  EXPECT_EQ(read_text(dir.file("little.u8bin")), read_text(dir.file("all.u8bin")));
  // As floats, which other programs want.
  run_ok(dir, {"export", "--index", "i", "--to", "hnswlib", "f.hnsw", "--dtype", "f32", "--quiet"});
  import_json(dir, "hnswlib", "f.hnsw", "f", {"--dim", "20", "--dtype", "f32", "--metric", "l2"});
}

TEST(ExportVerb, LabelsOfTheirOwn) {
  const ScratchDir dir;
  run_ok(dir, {"generate", "--count", "300", "--dim", "6", "--dtype", "f32", "--seed", "4",
               "--output", "all.fbin", "--quiet"});
  std::string text;
  for (std::uint64_t i = 0; i < 300; ++i)
    text += std::to_string(i * 7919 % 300 * 1000003 + 5) + "\n";
  std::ofstream(dir.file("names.txt")) << text;
  run_ok(dir, {"build", "--input", "all.fbin", "--labels", "names.txt", "--index", "i", "--codes",
               "2", "--calibration-rows", "0", "--quiet"});
  const Ran ran = run_cairn(dir, {"export", "--index", "i", "out.fbin"});
  EXPECT_NE(ran.out.find("--labels FILE"), std::string::npos) << ran.out;
  run_ok(dir, {"export", "--index", "i", "out.fbin", "--labels", "out.u64bin", "--quiet"});
  // Built from what came out, it is the same again.
  run_ok(dir, {"build", "--input", "out.fbin", "--labels", "out.u64bin", "--index", "j", "--codes",
               "2", "--calibration-rows", "0", "--quiet"});
  EXPECT_EQ(labels_of(dir, "j"), labels_of(dir, "i"));
  run_ok(dir, {"export", "--index", "j", "again.fbin", "--quiet"});
  EXPECT_EQ(read_text(dir.file("again.fbin")), read_text(dir.file("out.fbin")));
}

TEST(ExportVerb, WhatCannotBeWritten) {
  const ScratchDir dir;
  run_ok(dir, {"generate", "--count", "300", "--dim", "6", "--dtype", "f32", "--seed", "4",
               "--output", "all.fbin", "--quiet"});
  run_ok(dir, {"build", "--input", "all.fbin", "--index", "i", "--codes", "2", "--calibration-rows",
               "0", "--quiet"});
  expect_error(dir, {"export", "--index", "i", "out.u8bin", "--quiet"}, 1, {"out.u8bin", "f32"});
  expect_error(dir, {"export", "--index", "i", "out.words", "--quiet"}, 1, {"out.words"});
  expect_error(dir, {"export", "--index", "i", "--to", "hnswlib", "o", "--dtype", "u8", "--quiet"},
               1, {"hnswlib", "found u8", "expected f32"});
  expect_error(dir, {"export", "--index", "none", "--to", "hnswlib", "o", "--quiet"}, 1, {"none"});
  EXPECT_FALSE(std::filesystem::exists(dir.file("o")));
}

}  // namespace
}  // namespace cairn::tools
