// What a comparison says: the sentence, and what a build without the other libraries answers.
#include <gtest/gtest.h>

#include "tools/compare/old_index.h"
#include "tools/compare/sentence.h"
#include "tools/recall/answers.h"

namespace cairn::tools {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

Verdict verdict() {
  return {.queries = 1000,
          .k = 10,
          .old_name = "hnswlib at ef 100",
          .old_recall = 0.958,
          .own_recall = 0.962,
          .reached = true,
          .old_bytes = 713 * kMiB,
          .own_bytes = 41 * kMiB,
          .old_us = 200,
          .own_us = 900};
}

TEST(Sentence, SaysWhatIsBetterAndWhatIsWorse) {
  EXPECT_EQ(sentence(verdict()),
            "Cairn answers these 1,000 queries with recall@10 0.9620 where hnswlib at ef 100 has "
            "0.9580, in 41.0 MiB of memory instead of 713.0 MiB (1/17), at a median of 0.9 ms a "
            "query instead of 0.2 ms (4.5 times as long).");
}

TEST(Sentence, ARecallThatIsNotReachedComesFirst) {
  Verdict is = verdict();
  is.reached = false;
  is.own_recall = 0.95;
  EXPECT_EQ(sentence(is).find("Cairn does not find as much as hnswlib at ef 100 on these 1,000 "
                              "queries: recall@10 0.9500 at best where that has 0.9580, in "),
            0U)
      << sentence(is);
}

TEST(Sentence, MoreMemoryAndLessTime) {
  Verdict is = verdict();
  is.queries = 1;
  is.own_bytes = 1426 * kMiB;
  is.old_us = 4500;
  const std::string text = sentence(is);
  EXPECT_NE(text.find("answers this 1 query with"), std::string::npos) << text;
  EXPECT_NE(text.find("(2.0 times as much)"), std::string::npos) << text;
  EXPECT_NE(text.find("instead of 4.5 ms (5.0 times as fast)"), std::string::npos) << text;
  is.own_us = 4400;
  EXPECT_NE(sentence(is).find("(as long)"), std::string::npos) << sentence(is);
}

TEST(OldIndexOfABuildWithout, NamesThePackages) {
  for (const auto& [format, package] : {std::pair{IndexFormat::hnswlib, "libhnswlib-dev"},
                                        std::pair{IndexFormat::faiss, "libfaiss-dev"}}) {
    const IndexFile file{.path = "words.bin", .format = format, .metric = Metric::l2};
    const Status status = check_loadable(file);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::unsupported);
    EXPECT_NE(status.error().to_string().find(package), std::string::npos);
    EXPECT_NE(status.error().to_string().find("words.bin"), std::string::npos);
    EXPECT_EQ(load_old_index(file, {}).error().code, ErrorCode::unsupported);
  }
}

TEST(Answers, RecallAndOverlapCountDistinctIds) {
  AnswerTable one(1, 4), other(1, 4);
  one.set(0, 0, 5, 1);
  one.set(0, 1, 5, 1);
  one.set(0, 2, 6, 2);
  one.set(0, 3, 7, 9);
  other.set(0, 0, 6, 2);
  other.set(0, 1, 5, 1);
  EXPECT_EQ(recall_of(one, 0, 2, {}), 0.5);
  EXPECT_EQ(overlap_of(one, other, 0), 0.5);
  EXPECT_EQ(overlap_of(AnswerTable(1, 4), AnswerTable(1, 4), 0), 0);  // nothing is no answer
}

}  // namespace
}  // namespace cairn::tools
