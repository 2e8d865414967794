#include "tools/plan/device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/io/io_test_util.h"

namespace cairn::tools::plan {
namespace {

using nlohmann::json;

json good() {
  return json::parse(R"({"name": "disk", "date": "2026-11-27", "cores": 2, "read_bytes_per_s": 7e8,
    "random_4k_reads": [
      {"depth": 1, "iops": 8000, "p50_us": 120, "p99_us": 200, "core_us": 20},
      {"depth": 32, "iops": 60000, "p50_us": 500, "p99_us": 900, "core_us": 4}]})");
}

void expect_refused(const json& device, const std::vector<std::string>& parts) {
  const auto parsed = parse_device(device.dump(), "d.json");
  ASSERT_FALSE(parsed.has_value()) << device.dump();
  const std::string text = parsed.error().to_string();
  EXPECT_NE(text.find("d.json"), std::string::npos) << text;
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Device, ReadsWhatItWrites) {
  const auto device = parse_device(good().dump(), "d.json");
  ASSERT_TRUE(device.has_value()) << device.error().to_string();
  EXPECT_EQ(device->cores, 2U);
  EXPECT_EQ(device->iops_max(), 60000);
  EXPECT_EQ(device->at(4).depth, 1U);
  EXPECT_EQ(device->at(8).depth, 32U);
  EXPECT_FALSE(device->assumed);
  const auto again = parse_device(device_text(*device), "again");
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(device_text(*again), device_text(*device));
}

TEST(Device, EveryTruncationIsRefused) {
  const std::string text = device_text(*parse_device(good().dump(), "d.json"));
  for (std::size_t bytes = 0; bytes <= text.rfind('}'); ++bytes)
    ASSERT_FALSE(parse_device(text.substr(0, bytes), "cut").has_value()) << bytes;
}

TEST(Device, WhatIsWrongIsNamed) {
  for (const char* name : {"name", "date", "cores", "read_bytes_per_s", "random_4k_reads"}) {
    json device = good();
    device.erase(name);
    expect_refused(device, {name});
  }
  for (const char* name : {"depth", "iops", "p50_us", "p99_us", "core_us"}) {
    json device = good();
    device["random_4k_reads"][1].erase(name);
    expect_refused(device, {name, "random_4k_reads 2"});
  }
  json tail = good();
  tail["random_4k_reads"][0]["p99_us"] = 100;  // below the median
  expect_refused(tail, {"p99_us", "100", "120"});
  json order = good();
  order["random_4k_reads"][1]["depth"] = 1;
  expect_refused(order, {"depth", "more than 1"});
}

TEST(Device, MeasuresTheFolderAndLeavesNothing) {
  const io::ScratchDir folder;
  int steps = 0;
  const auto device = measure_device(folder.path(),
                                     [&] {
                                       ++steps;
                                       return Status{};
                                     },
                                     {.file_bytes = 4 << 20, .step_s = 0.02});
  if (!device && device.error().code == ErrorCode::unsupported)
    GTEST_SKIP() << device.error().to_string();
  ASSERT_TRUE(device.has_value()) << device.error().to_string();
  EXPECT_GT(steps, 1);
  EXPECT_GT(device->iops_max(), 0);
  EXPECT_GT(device->bytes_per_s, 0);
  EXPECT_TRUE(parse_device(device_text(*device), "measured").has_value());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Device, AFolderInMemoryIsNone) {
  const std::string folder = "/dev/shm";
  if (::access(folder.c_str(), W_OK) != 0) GTEST_SKIP() << "no " << folder;
  const auto device =
      measure_device(folder, [] { return Status{}; }, {.file_bytes = 1 << 20, .step_s = 0.01});
  ASSERT_FALSE(device.has_value());
  EXPECT_EQ(device.error().code, ErrorCode::unsupported) << device.error().to_string();
  EXPECT_EQ(device.error().file, folder);
}

TEST(Device, AMeasurementThatIsStoppedLeavesNothing) {
  const io::ScratchDir folder;
  const auto device =
      measure_device(folder.path(), [] { return Status(fail(ErrorCode::cancelled, "stop")); },
                     {.file_bytes = 1 << 20, .step_s = 0.01});
  ASSERT_FALSE(device.has_value());
  if (device.error().code == ErrorCode::unsupported) GTEST_SKIP() << device.error().to_string();
  EXPECT_EQ(device.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace cairn::tools::plan
