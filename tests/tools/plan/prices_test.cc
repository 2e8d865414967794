#include "tools/plan/prices.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cairn::tools::plan {
namespace {

using nlohmann::json;

json good() {
  return json::parse(R"({"currency": "EUR", "region": "here", "date": "2026-01-31", "source": "me",
    "instances": [{"name": "a", "vcpus": 2, "memory_gib": 16, "nvme_gb": 100,
                   "nvme_iops_4k": 5000, "price_per_hour": 0.5}]})");
}

/// Parsing fails, and the error names the file and every one of `parts`.
void expect_refused(const json& prices, const std::vector<std::string>& parts) {
  const auto parsed = parse_prices(prices.dump(), "p.json");
  ASSERT_FALSE(parsed.has_value()) << prices.dump();
  EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
  const std::string text = parsed.error().to_string();
  EXPECT_NE(text.find("p.json"), std::string::npos) << text;
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Prices, ReadsEveryField) {
  const auto prices = parse_prices(good().dump(), "p.json");
  ASSERT_TRUE(prices.has_value()) << prices.error().to_string();
  EXPECT_EQ(prices->currency, "EUR");
  EXPECT_EQ(prices->date, "2026-01-31");
  ASSERT_EQ(prices->instances.size(), 1U);
  const Instance& instance = prices->instances.front();
  EXPECT_EQ(instance.vcpus, 2U);
  EXPECT_EQ(instance.nvme_iops_4k, 5000);
  EXPECT_DOUBLE_EQ(instance.price_per_month(), 365);
}

TEST(Prices, TheBuiltInListIsWhole) {
  const auto prices = parse_prices(default_prices_text(), "built in");
  ASSERT_TRUE(prices.has_value()) << prices.error().to_string();
  EXPECT_EQ(prices->date, "2026-07-20");
  const auto at = std::ranges::find(prices->instances, "r6i.8xlarge", &Instance::name);
  ASSERT_NE(at, prices->instances.end());
  EXPECT_NEAR(at->price_per_month(), 1471.68, 0.005);
}

TEST(Prices, EveryTruncationOfTheBuiltInListIsRefused) {
  const std::string_view text = default_prices_text();
  const std::size_t end = text.rfind('}');
  for (std::size_t bytes = 0; bytes <= end; ++bytes)
    ASSERT_FALSE(parse_prices(text.substr(0, bytes), "cut").has_value()) << bytes;
}

TEST(Prices, AMissingFieldIsNamed) {
  for (const char* name : {"currency", "region", "date", "source", "instances"}) {
    json prices = good();
    prices.erase(name);
    expect_refused(prices, {name, "nothing"});
  }
  for (const char* name :
       {"name", "vcpus", "memory_gib", "nvme_gb", "nvme_iops_4k", "price_per_hour"}) {
    json prices = good();
    prices["instances"][0].erase(name);
    expect_refused(prices, {name, "instance 1"});
  }
}

TEST(Prices, AWrongValueIsShown) {
  const auto with = [](const char* name, const json& value) {
    json prices = good();
    prices["instances"][0][name] = value;
    return prices;
  };
  expect_refused(with("vcpus", 0), {"vcpus", "0"});
  expect_refused(with("vcpus", 1.5), {"vcpus", "1.5", "whole"});
  expect_refused(with("memory_gib", "16"), {"memory_gib", "\"16\"", "number"});
  expect_refused(with("price_per_hour", -1), {"price_per_hour", "-1"});
  expect_refused(with("nvme_gb", nullptr), {"nvme_gb", "null"});
  expect_refused(with("nvme_gb", 0), {"nvme_iops_4k", "null where nvme_gb is 0"});
  expect_refused(with("name", ""), {"name"});
  expect_refused(with("name", "a\nb"), {"name", "line ends"});
  expect_refused(with("price_per_hours", 1), {"price_per_hours", "only"});
  json twice = good();
  twice["instances"].push_back(twice["instances"][0]);
  expect_refused(twice, {"'a' again", "once"});
  json none = good();
  none["instances"] = json::array();
  expect_refused(none, {"instances", "array"});
  json date = good();
  date["date"] = "2026-13-01";
  expect_refused(date, {"date", "2026-13-01"});
  expect_refused(json::array(), {"an array of 0", "object"});
}

TEST(Prices, DeepNestingIsRefusedAndDoesNotEndTheProcess) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(parse_prices(deep, "deep").has_value());
  EXPECT_FALSE(parse_prices(R"({"currency": )" + deep + "}", "deep").has_value());
}

TEST(Prices, AFileThatIsNotThereIsNamed) {
  const auto prices = load_prices("/nowhere/prices.json");
  ASSERT_FALSE(prices.has_value());
  EXPECT_EQ(prices.error().code, ErrorCode::not_found);
  EXPECT_NE(prices.error().to_string().find("/nowhere/prices.json"), std::string::npos);
}

}  // namespace
}  // namespace cairn::tools::plan
