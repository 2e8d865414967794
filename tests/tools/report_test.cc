#include "tools/recall/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cairn::tools {
namespace {

TEST(RecallReport, WhatIsNotCountedIsADashAndNull) {
  RecallRow row;
  row.list_size = 40;
  row.threads = 2;
  row.recall = 0.5;
  row.cpu_us = 12.25;
  row.code_distances = 100;
  row.refined_distances = 7;
  const auto titles = recall_titles("ef");
  const auto cells = recall_cells(row);
  ASSERT_EQ(cells.size(), titles.size());
  EXPECT_EQ(titles.front(), "ef");
  const auto cell = [&](const std::string& title) {
    for (std::size_t i = 0; i < titles.size(); ++i)
      if (titles[i] == title) return cells[i];
    return std::string("no such column");
  };
  EXPECT_EQ(cell("ef"), "40");
  EXPECT_EQ(cell("threads"), "2");
  EXPECT_EQ(cell("recall"), "0.5000");
  EXPECT_EQ(cell("mean us"), "-") << "a batch has no latency";
  EXPECT_EQ(cell("reads"), "0.00");
  EXPECT_EQ(cell("core us"), "12.2");
  EXPECT_EQ(cell("cache hits"), "-");
  EXPECT_EQ(cell("shared"), "-");
  EXPECT_EQ(cell("codes"), "100");
  EXPECT_EQ(cell("refined"), "7");
  EXPECT_EQ(cell("exact"), "-");
  EXPECT_EQ(cell("edges"), "-");

  const auto object = recall_json(row);
  EXPECT_EQ(object.size(), titles.size());
  EXPECT_EQ(object.at("code_distances"), 100);
  EXPECT_EQ(object.at("refined_distances"), 7);
  EXPECT_TRUE(object.at("exact_distances").is_null());
  EXPECT_TRUE(object.at("cache_hits").is_null());
}

}  // namespace
}  // namespace cairn::tools
