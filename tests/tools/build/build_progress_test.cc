#include "tools/build/build_progress.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace cairn::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr BuildProgress kStep = {.phase = "link",
                                 .done = 43,
                                 .total = 100,
                                 .share = 0.61,
                                 .left_s = 192,
                                 .memory_bytes = 2040109466,
                                 .disk_bytes = 4402341478};

/// A printer whose clock the test sets, and what it wrote.
struct Watched {
  explicit Watched(ProgressStyle style)
      : printer(
            style, 1000000, [this](std::string_view text) { out.emplace_back(text); }, start) {}

  void update(std::string_view phase, std::uint64_t done, milliseconds at) {
    printer.update({.phase = phase, .done = done, .total = 100}, start + at);
  }

  BuildProgressPrinter::Clock::time_point start = {};
  std::vector<std::string> out;
  BuildProgressPrinter printer;
};

TEST(BuildProgressLine, SaysPhaseAndWhole) {
  EXPECT_EQ(build_progress_line(kStep, 123000),
            "link 43 % | all 61 %, 123,000 vectors/s, 3m12s left, 1.9 GiB memory, 4.1 GiB disk");
}

TEST(BuildProgressLine, LeavesOutWhatIsUnknown) {
  EXPECT_EQ(build_progress_line({.phase = "read"}, 0), "read 0 % | all 0 %");
  EXPECT_EQ(build_progress_line({.phase = "read", .done = 9, .total = 3, .share = 1.2}, 0),
            "read 100 % | all 100 %");
}

TEST(BuildProgressJson, HasEveryField) {
  const auto object = nlohmann::json::parse(build_progress_json(kStep, 123000));
  EXPECT_EQ(object, (nlohmann::json{{"phase", "link"},
                                    {"phase_share", 0.43},
                                    {"share", 0.61},
                                    {"vectors_per_s", 123000},
                                    {"left_s", 192},
                                    {"memory_bytes", 2040109466},
                                    {"disk_bytes", 4402341478}}));
}

TEST(BuildProgressPrinter, JsonIsAtMostTwoASecondAndOneAtEachPhase) {
  Watched watched(ProgressStyle::json);
  watched.update("scatter", 0, milliseconds{0});
  watched.update("scatter", 1, milliseconds{100});
  watched.update("scatter", 2, milliseconds{499});
  ASSERT_EQ(watched.out.size(), 1U);
  watched.update("scatter", 10, milliseconds{500});
  watched.update("link", 0, milliseconds{501});
  watched.update("link", 1, milliseconds{700});
  ASSERT_EQ(watched.out.size(), 3U);
  const auto second = nlohmann::json::parse(watched.out[1]);
  EXPECT_EQ(watched.out[1].back(), '\n');
  EXPECT_EQ(second.at("phase"), "scatter");
  EXPECT_DOUBLE_EQ(second.at("phase_share"), 0.1);
  EXPECT_DOUBLE_EQ(second.at("vectors_per_s"), 200000);
  EXPECT_EQ(nlohmann::json::parse(watched.out[2]).at("phase"), "link");
}

TEST(BuildProgressPrinter, ARateCountsOnlyWhatThisRunDid) {
  Watched watched(ProgressStyle::json);
  watched.update("link", 60, milliseconds{0});
  watched.update("link", 70, milliseconds{1000});
  const auto object = nlohmann::json::parse(watched.out.at(1));
  EXPECT_NEAR(object.at("vectors_per_s"), 100000, 1);
}

TEST(BuildProgressPrinter, LinesComeEveryTenSeconds) {
  Watched watched(ProgressStyle::line);
  for (int i = 0; i < 35; ++i)
    watched.update(i < 20 ? "scatter" : "link", static_cast<std::uint64_t>(i), seconds{i});
  ASSERT_EQ(watched.out.size(), 3U);
  EXPECT_EQ(watched.out[0], "scatter 10 % | all 0 %, 10,000 vectors/s\n");
  EXPECT_EQ(watched.out[1].substr(0, 5), "link ");
}

TEST(BuildProgressPrinter, ATerminalHasOneLineThatIsWiped) {
  Watched watched(ProgressStyle::terminal);
  watched.update("link", 1, milliseconds{1999});
  watched.printer.wipe();
  EXPECT_TRUE(watched.out.empty());
  watched.update("link", 2, milliseconds{2000});
  watched.update("link", 3, milliseconds{2199});
  watched.update("merge", 0, milliseconds{2200});
  ASSERT_EQ(watched.out.size(), 2U);
  EXPECT_EQ(watched.out[1], "\r\x1b[Kmerge 0 % | all 0 %");
  watched.printer.wipe();
  watched.printer.wipe();
  ASSERT_EQ(watched.out.size(), 3U);
  EXPECT_EQ(watched.out[2], "\r\x1b[K");
}

TEST(BuildProgressPrinter, NoneIsNothing) {
  Watched watched(ProgressStyle::none);
  for (int i = 0; i < 100; ++i) watched.update("link", 1, seconds{i});
  watched.printer.wipe();
  EXPECT_TRUE(watched.out.empty());
}

}  // namespace
}  // namespace cairn::tools
