#include "tools/table.h"

#include <gtest/gtest.h>

#include "tools/progress.h"

namespace cairn::tools {
namespace {

TEST(Table, AlignsTheFirstColumnLeftAndOthersRight) {
  Table table{{"list", "recall", "qps"}};
  table.add({"10", "0.95", "12345"});
  table.add({"1000", "1", "5"});
  EXPECT_EQ(table.text(),
            "list  recall    qps\n"
            "10      0.95  12345\n"
            "1000       1      5\n");
}

TEST(Progress, LineHasShareRateAndTimeLeft) {
  EXPECT_EQ(progress_line("build", 2500, 10000, 5), "build: 25 %, 500/s, 15s left");
  EXPECT_EQ(progress_line("build", 0, 10000, 5), "build: 0 %, 0/s, 0s left");
}

TEST(Progress, MoreThanTheTotalIsAllOfIt) {
  EXPECT_EQ(progress_line("generate", 150, 100, 5), "generate: 100 %, 20/s, 0s left");
}

}  // namespace
}  // namespace cairn::tools
