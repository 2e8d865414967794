// cairn plan, as it is called.
#include <gtest/gtest.h>

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/tools/run_cairn.h"

namespace cairn::tools {
namespace {

using io::ScratchDir;
using nlohmann::json;

void write(const ScratchDir& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.path() + "/" + name) << text;
}

TEST(PlanVerb, PrintsARowADesignAndOneAdvice) {
  const ScratchDir folder;
  const Ran ran = run_ok(folder, {"plan", "--count", "50M", "--dim", "768", "--qps", "500", "--p99",
                                  "20ms", "--build-memory", "64G", "--memory", "6G"});
  for (const char* part : {"HNSW M=16", "IVF-Flat", "IVF-PQ", "> Cairn in", "Cairn in 6.0 GiB",
                           "2026-07-20", "device: assumed", "no --sample", "Take Cairn"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  EXPECT_EQ(std::ranges::count(ran.out, '>'), 2);  // in each table one row is marked
}

TEST(PlanVerb, WhatFitsNowhereIsSaidAndIsNoError) {
  const ScratchDir folder;
  const Ran ran = run_ok(
      folder, {"plan", "--count", "50M", "--dim", "768", "--p99", "1us", "--build-memory", "64G"});
  EXPECT_NE(ran.out.find("No design meets"), std::string::npos) << ran.out;
}

TEST(PlanVerb, MisuseIsNamed) {
  const ScratchDir folder;
  expect_error(folder, {"plan", "--count", "50M"}, 2, {"--dim"});
  expect_error(folder, {"plan", "--count", "50Q", "--dim", "8"}, 2, {"50Q", "50M"});
  expect_error(folder, {"plan", "--count", "1.5", "--dim", "8"}, 2, {"1.5"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--p99", "20"}, 2, {"'20'", "20ms"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--recall", "1.5"}, 2, {"--recall"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--seed", "2"}, 2, {"--sample"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--recall", "nan"}, 2, {"--recall"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "-k", "100"}, 1,
               {"k = 100", "--sample"});
  write(folder, "bad.json", "{\"region\": \"r\"}");
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--prices", "bad.json"}, 1,
               {"bad.json", "currency"});
  expect_error(folder, {"plan", "--count", "1M", "--dim", "8", "--device", "gone.json"}, 1,
               {"gone.json"});
}

TEST(PlanVerb, OtherPricesAndAMeasuredDevice) {
  const ScratchDir folder;
  write(folder, "prices.json",
        R"({"currency": "EUR", "region": "cellar", "date": "2026-02-03", "source": "bill",
            "instances": [{"name": "box", "vcpus": 8, "memory_gib": 64, "nvme_gb": 4000,
                           "nvme_iops_4k": 400000, "price_per_hour": 0.1}]})");
  const std::vector<std::string> args = {"plan", "--count",  "20M",         "--dim",
                                         "768",  "--prices", "prices.json", "--build-memory",
                                         "64G",  "--json"};
  auto first = args;
  first.insert(first.end(), {"--measure", ".", "--device-output", "device.json"});
  const Ran ran = run_cairn(folder, first);
  if (ran.err.find("reads come from memory") != std::string::npos) GTEST_SKIP() << ran.err;
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json measured = json::parse(ran.out);
  EXPECT_EQ(measured["device"]["assumed"], false);
  auto second = args;
  second.insert(second.end(), {"--device", "device.json"});
  const json stated = json::parse(run_ok(folder, second).out);
  EXPECT_EQ(measured["designs"], stated["designs"]);
  EXPECT_EQ(stated["prices"]["currency"], "EUR");
  for (const json& design : stated["designs"]) {
    EXPECT_GT(design["on_device"]["qps_max"], 0);
    if (design.contains("memory")) {
      EXPECT_EQ(design["machine"]["name"], "box");
    }
  }
}

/// A sample of a few thousand generated vectors.
TEST(PlanVerb, MeasuresASample) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "4000", "--dim", "32", "--dtype", "u8", "--seed", "3",
                  "--output", "base.u8bin"});
  std::vector<std::string> args = {
      "plan",  "--count", "40K",   "--dim",  "32",       "--dtype",    "u8",
      "--qps", "100",     "--p99", "50ms",   "--sample", "base.u8bin", "--sample-rows",
      "3000",  "--work",  ".",     "--seed", "5",        "--quiet",    "--json"};
  const json plan = json::parse(run_ok(folder, args).out);
  EXPECT_EQ(plan["sample"]["file_rows"], 4000);
  EXPECT_EQ(plan["sample"]["rows"], 3000 - 3000 / 16);
  int measured = 0;
  for (const json& design : plan["designs"]) {
    if (!design.contains("memory")) continue;
    ++measured;
    EXPECT_EQ(design["measured"], true);
    EXPECT_GE(design["recall"]["value"], 0.95);
    EXPECT_GT(design["reads"]["value"], 1);
    EXPECT_LT(design["reads"]["low"], design["reads"]["value"]);
    EXPECT_GT(design["reads"]["high"], design["reads"]["value"]);
    EXPECT_GT(design["build"]["seconds"], 0);
    EXPECT_GT(design["core_s"]["value"], 0);
    EXPECT_LE(design["ram_bytes"], design["memory"]["limit_bytes"]);
  }
  EXPECT_GE(measured, 3);
  for (const json& state : plan["sample"]["states"]) EXPECT_EQ(state["points"].size(), 4U);
  // The indexes are gone.
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    EXPECT_FALSE(entry.is_directory()) << entry.path();
}

/// Within a step that alone would take many seconds.
TEST(PlanVerb, AStopEndsAStepAndLeavesNothing) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "60000", "--dim", "64", "--dtype", "u8", "--seed", "3",
                  "--output", "base.u8bin"});
  const CairnProcess process(folder, {"plan", "--count", "1M", "--dim", "64", "--dtype", "u8",
                                      "--sample", "base.u8bin", "--work", ".", "--quiet"});
  const auto scratch = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.is_directory()) return true;
    return false;
  };
  for (int i = 0; i < 2000 && !scratch(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ASSERT_EQ(::kill(process.pid(), SIGINT), 0);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("cancelled"), std::string::npos) << ran.err;
  EXPECT_FALSE(scratch());
}

TEST(PlanVerb, ASampleOfAnotherShapeIsRefused) {
  const ScratchDir folder;
  run_ok(folder, {"generate", "--count", "1100", "--dim", "32", "--dtype", "u8", "--seed", "3",
                  "--output", "base.u8bin"});
  const auto args = [](const char* dim, const char* dtype) {
    return std::vector<std::string>{"plan",    "--count", "1M",       "--dim",      dim,
                                    "--dtype", dtype,     "--sample", "base.u8bin", "--quiet"};
  };
  expect_error(folder, args("64", "u8"), 1, {"base.u8bin", "32"});
  expect_error(folder, args("32", "f32"), 1, {"base.u8bin", "u8"});
  run_ok(folder, {"convert", "base.u8bin", "few.u8bin", "--take", "100"});
  auto few = args("32", "u8");
  few[8] = "few.u8bin";
  expect_error(folder, few, 1, {"few.u8bin", "100 vectors", "1024"});
}

}  // namespace
}  // namespace cairn::tools
