// The command as a person meets it: help, exit codes, messages, and the verbs that work on files.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "tests/tools/formats/format_samples.h"
#include "tests/tools/run_cairn.h"
#include "tools/formats/result_file.h"

namespace cairn::tools {
namespace {

using formats::Sample;
using io::must;
using io::ScratchDir;

const std::vector<std::string> kVerbs = {"build",   "search", "groundtruth", "recall",
                                         "inspect", "verify", "convert",     "generate"};

void write_sample(const ScratchDir& folder, const std::string& name, const Sample& sample) {
  std::ofstream file(folder.file(name), std::ios::binary);
  file.write(reinterpret_cast<const char*>(sample.bytes().data()),
             static_cast<std::streamsize>(sample.bytes().size()));
}

std::vector<std::string> generate_args(const std::string& count, const std::string& output) {
  return {"generate", "--count", count, "--dim",    "24",  "--dtype",
          "u8",       "--seed",  "3",   "--output", output};
}

TEST(Help, ListsEveryVerbAndEachShowsAnExample) {
  const ScratchDir folder;
  const Ran all = run_ok(folder, {"--help"});
  for (const std::string& verb : kVerbs) {
    EXPECT_NE(all.out.find("\n  " + verb), std::string::npos) << verb;
    const Ran one = run_ok(folder, {verb, "--help"});
    EXPECT_NE(one.out.find("Example:\n  cairn " + verb), std::string::npos) << one.out;
    EXPECT_NE(one.out.find("--quiet"), std::string::npos) << verb;
  }
  EXPECT_EQ(run_ok(folder, {"--version"}).out.rfind("cairn ", 0), 0U);
}

TEST(Help, SaysThatGeneratedDataIsSynthetic) {
  const ScratchDir folder;
  EXPECT_NE(run_ok(folder, {"generate", "--help"}).out.find("synthetic"), std::string::npos);
}

TEST(Usage, ErrorsAreOneLineAndCode2) {
  const ScratchDir folder;
  expect_error(folder, {}, 2, {"cairn:", "--help"});
  expect_error(folder, {"fly"}, 2, {"cairn:"});
  expect_error(folder, {"convert", "a.fbin"}, 2, {"cairn convert:", "OUTPUT", "convert --help"});
  expect_error(folder, {"convert", "a.fbin", "b.fbin", "--loud"}, 2, {"--loud"});
  expect_error(folder, {"convert", "a.fbin", "b.fbin", "--take", "0"}, 2, {"--take", "'0'"});
  expect_error(folder, {"convert", "a.fbin", "b.fbin", "--skip", "-1"}, 2, {"--skip", "'-1'"});
  expect_error(folder, {"search", "--index", "i", "--queries", "q.fbin", "-k", "0"}, 2, {"-k"});
  expect_error(folder, {"search", "--index", "i", "--queries", "q.fbin", "--memory", "8 pounds"}, 2,
               {"--memory", "8 pounds", "60B/v"});
  expect_error(folder, {"build", "--input", "x.fbin", "--index", "i", "--metric", "hamming"}, 2,
               {"--metric", "hamming"});
  expect_error(folder, {"build", "--input", "x.fbin", "--index", "i", "--threads", "1025"}, 2,
               {"--threads", "1025", "1024"});
  expect_error(folder, {"recall", "--index", "i", "--queries", "q.fbin", "--threads", "1025"}, 2,
               {"--threads", "1025", "1024"});
  expect_error(folder,
               {"generate", "--count", "1", "--dim", "40000", "--dtype", "u8", "--seed", "1",
                "--output", "x.u8bin"},
               2, {"--dim", "32768"});
}

TEST(Usage, AFullStandardOutputIsAFailure) {
  const ScratchDir folder;
  run_ok(folder, generate_args("300", "x.u8bin"));
  run_ok(folder, {"build", "--input", "x.u8bin", "--index", "i", "--codes", "8", "--quiet"});
  const Ran ran = CairnProcess(folder, {"inspect", "i", "--quiet"}, "/dev/full").wait();
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("standard output"), std::string::npos) << ran.err;
}

TEST(Generate, TheSameArgumentsGiveTheSameBytes) {
  const ScratchDir folder;
  auto args = generate_args("3000", "a.u8bin");
  args.insert(args.end(), {"--queries", "5", "--query-output", "q.u8bin"});
  EXPECT_EQ(run_ok(folder, args).out, "");
  run_ok(folder, generate_args("3000", "b.u8bin"));
  EXPECT_EQ(read_text(folder.file("a.u8bin")), read_text(folder.file("b.u8bin")));
  EXPECT_EQ(std::filesystem::file_size(folder.file("a.u8bin")), 8 + 3000 * 24U);
  EXPECT_EQ(std::filesystem::file_size(folder.file("q.u8bin")), 8 + 5 * 24U);
  run_ok(folder, {"convert", "b.u8bin", "head.u8bin", "--take", "100"});
  run_ok(folder, generate_args("100", "small.u8bin"));
  EXPECT_EQ(read_text(folder.file("head.u8bin")), read_text(folder.file("small.u8bin")));
}

TEST(Generate, QueriesNeedAFile) {
  const ScratchDir folder;
  auto args = generate_args("3", "a.u8bin");
  args.insert(args.end(), {"--queries", "5"});
  expect_error(folder, args, 2, {"--query-output"});
}

TEST(Generate, RefusesOneFileForBaseAndQueries) {
  const ScratchDir folder;
  auto args = generate_args("3", "a.u8bin");
  args.insert(args.end(), {"--queries", "5", "--query-output", "./a.u8bin"});
  expect_error(folder, args, 2, {"--query-output", "--output"});
  EXPECT_FALSE(std::filesystem::exists(folder.file("a.u8bin")));
}

TEST(Generate, ABadQueryPathIsFoundBeforeTheBaseIsWritten) {
  const ScratchDir folder;
  auto args = generate_args("3", "a.u8bin");
  args.insert(args.end(), {"--queries", "5", "--query-output", "none/q.u8bin"});
  expect_error(folder, args, 1, {"not_found", "none/q.u8bin"});
  EXPECT_FALSE(std::filesystem::exists(folder.file("a.u8bin")));
}

TEST(Generate, InterruptedLeavesNothing) {
  for (const auto& [number, word] :
       {std::pair{SIGINT, "interrupted"}, {SIGTERM, "terminated"}, {SIGHUP, "hung up"}}) {
    const ScratchDir folder;
    const CairnProcess process(folder, generate_args("400000000", "x.u8bin"));
    const std::string part = folder.file("x.u8bin.part-" + std::to_string(process.pid()));
    for (int i = 0; i < 2000 && !std::filesystem::exists(part); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    ASSERT_TRUE(std::filesystem::exists(part));
    ASSERT_EQ(::kill(process.pid(), number), 0);
    const Ran ran = process.wait();
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, std::string("cairn generate: cancelled: ") + word + "\n");
    EXPECT_FALSE(std::filesystem::exists(part));
    EXPECT_FALSE(std::filesystem::exists(folder.file("x.u8bin")));
  }
}

TEST(Convert, ThroughEveryByteFormatAndBack) {
  const ScratchDir folder;
  run_ok(folder, generate_args("500", "a.u8bin"));
  std::string from = "a.u8bin";
  for (const std::string to : {"b.bvecs", "c.npy", "d.idx", "e-idx2-ubyte", "f.u8bin"}) {
    EXPECT_EQ(run_ok(folder, {"convert", from, to}).out, "");
    from = to;
  }
  EXPECT_EQ(read_text(folder.file("a.u8bin")), read_text(folder.file("f.u8bin")));
}

TEST(Convert, TakesAndSkips) {
  const ScratchDir folder;
  write_sample(folder, "a.u8bin", Sample{}.u32(4).u32(1).u8(10).u8(11).u8(12).u8(13));
  run_ok(folder, {"convert", "a.u8bin", "b.bvecs", "--skip", "1", "--take", "2"});
  EXPECT_EQ(read_text(folder.file("b.bvecs")).size(), 10U);
  EXPECT_EQ(read_text(folder.file("b.bvecs"))[4], 11);
  expect_error(folder, {"convert", "a.u8bin", "c.bvecs", "--skip", "4"}, 1, {"4 vectors"});
  expect_error(folder, {"convert", "a.u8bin", "c.bvecs", "--take", "4", "--skip", "1"}, 1,
               {"take 4 vectors after 1 of 'a.u8bin'", "found 4 vectors"});
  EXPECT_FALSE(std::filesystem::exists(folder.file("c.bvecs")));
}

TEST(Convert, NeverReplacesItsInput) {
  const ScratchDir folder;
  run_ok(folder, generate_args("30", "a.u8bin"));
  const std::string before = read_text(folder.file("a.u8bin"));
  expect_error(folder, {"convert", "a.u8bin", "./a.u8bin", "--take", "3"}, 1,
               {"invalid_argument", "'./a.u8bin'", "the file that is read as 'a.u8bin'"});
  for (const char* output : {"a.u8bin", "q.u8bin"}) {
    run_ok(folder, generate_args("5", "q.u8bin"));
    expect_error(folder,
                 {"groundtruth", "--input", "a.u8bin", "--queries", "q.u8bin", "-k", "3",
                  "--output", output},
                 1, {"invalid_argument", output});
  }
  EXPECT_EQ(read_text(folder.file("a.u8bin")), before);
}

TEST(Convert, NeverChangesTheElementType) {
  const ScratchDir folder;
  write_sample(folder, "a.u8bin", Sample{}.u32(1).u32(1).u8(10));
  expect_error(folder, {"convert", "a.u8bin", "b.fbin"}, 1,
               {"cairn convert: invalid_argument", "'b.fbin'", "found u8 vectors", "expected f32"});
  expect_error(folder, {"convert", "a.u8bin", "b.csv"}, 1, {"extension .csv", ".fbin"});
  expect_error(folder, {"convert", "none.u8bin", "b.bvecs"}, 1, {"not_found", "'none.u8bin'"});
}

TEST(Groundtruth, IsExactAndBigAnnsFormat) {
  const ScratchDir folder;
  write_sample(folder, "base.u8bin",
               Sample{}.u32(4).u32(2).u8(0).u8(0).u8(3).u8(4).u8(0).u8(0).u8(1).u8(0));
  write_sample(folder, "q.u8bin", Sample{}.u32(1).u32(2).u8(0).u8(0));
  EXPECT_EQ(run_ok(folder, {"groundtruth", "--input", "base.u8bin", "--queries", "q.u8bin", "-k",
                            "3", "--output", "t.bin"})
                .out,
            "");
  const auto truth = must(formats::ResultReader::open(folder.file("t.bin")));
  std::vector<std::uint32_t> ids(3);
  std::vector<float> distances(3);
  EXPECT_TRUE(io::ok(truth->read(0, ids, distances)));
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(distances, (std::vector<float>{0, 0, 1}));

  const Ran all = run_cairn(folder, {"groundtruth", "--input", "base.u8bin", "--queries", "q.u8bin",
                                     "-k", "9", "--output", "t.bin"});
  EXPECT_EQ(all.code, 0);
  EXPECT_NE(all.err.find("k is 4"), std::string::npos);
  EXPECT_EQ(must(formats::ResultReader::open(folder.file("t.bin")))->k(), 4U);
}

TEST(Groundtruth, RefusesWhatHasNoDistance) {
  const ScratchDir folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  write_sample(folder, "nan.fbin", Sample{}.u32(2).u32(2).f32(1).f32(1).f32(1).f32(nan));
  write_sample(folder, "zero.fbin", Sample{}.u32(2).u32(2).f32(1).f32(1).f32(0).f32(0));
  write_sample(folder, "good.fbin", Sample{}.u32(1).u32(2).f32(1).f32(1));
  write_sample(folder, "wide.fbin", Sample{}.u32(1).u32(3).f32(1).f32(1).f32(1));
  write_sample(folder, "bytes.u8bin", Sample{}.u32(1).u32(2).u8(1).u8(1));
  const auto args = [](const std::string& base, const std::string& queries,
                       const std::string& metric) {
    return std::vector<std::string>{"groundtruth", "--input",  base,    "--queries", queries, "-k",
                                    "1",           "--output", "t.bin", "--metric",  metric};
  };
  expect_error(folder, args("nan.fbin", "good.fbin", "l2"), 1,
               {"vector 1, element 1 of 'nan.fbin'", "NaN or infinity"});
  expect_error(folder, args("good.fbin", "nan.fbin", "ip"), 1,
               {"vector 1, element 1 of 'nan.fbin'", "NaN or infinity"});
  expect_error(folder, args("zero.fbin", "good.fbin", "cosine"), 1,
               {"vector 1 of 'zero.fbin'", "a zero vector"});
  run_ok(folder, args("zero.fbin", "good.fbin", "l2"));
  std::filesystem::remove(folder.file("t.bin"));
  expect_error(folder, args("good.fbin", "wide.fbin", "l2"), 1,
               {"'wide.fbin'", "f32 of dimension 3", "f32 of dimension 2"});
  expect_error(folder, args("good.fbin", "bytes.u8bin", "l2"), 1,
               {"'bytes.u8bin'", "u8 of dimension 2", "f32 of dimension 2"});
  EXPECT_FALSE(std::filesystem::exists(folder.file("t.bin")));
}

}  // namespace
}  // namespace cairn::tools
