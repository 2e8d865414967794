// Searches whose allocations fail, one after the other: each search ends, with its answer or with
// out_of_memory, and what comes after is answered as if nothing had been.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <limits>

#include "tests/engine/search/fail_allocations.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

constexpr std::uint64_t kRequests = 12;
constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

/// Reads on the calling thread, with edges on disk: many steps between the reads of a search.
OpenOptions options_of(const BuiltIndex& built) {
  return {.memory_limit_bytes = smallest_limit(built.folder), .io = IoBackend::sync};
}

std::vector<SearchRequest> requests_of(const BuiltIndex& built) {
  std::vector<SearchRequest> requests;
  for (std::uint64_t i = 0; i < kRequests; ++i) requests.push_back(request_for(built, i));
  requests[kRequests / 2].query.dim = 15;  // its error needs memory too
  return requests;
}

class Allocation : public ::testing::Test {
 protected:
  void expect_answer_or_no_memory(std::size_t i, const Result<SearchResult>& result) {
    if (result) {
      EXPECT_TRUE(same_answer(*result, expected_[i])) << i;
    } else if (i != kRequests / 2 || result.error().code != ErrorCode::invalid_argument) {
      EXPECT_TRUE(fails_with(result, ErrorCode::out_of_memory)) << i;
    }
  }

  const BuiltIndex& built_ = shared_index();
  const OpenOptions options_ = options_of(built_);
  const std::vector<SearchRequest> requests_ = requests_of(built_);
  std::vector<SearchResult> expected_ = answers(*open_index(built_, options_), built_, kRequests);
};

TEST_F(Allocation, ABatchEndsWhicheverAllocationFails) {
  const auto index = open_index(built_, options_);
  std::uint64_t first = 0;
  for (bool failed = true; failed; ++first) {
    fail_allocations(first, 1);
    const auto results = index->search_batch(requests_);
    failed = stop_failing_allocations() != 0;
    if (first == 0) {
      EXPECT_TRUE(results.empty());  // the first allocation is that of the results
      continue;
    }
    ASSERT_EQ(results.size(), kRequests);
    for (std::size_t i = 0; i < kRequests; ++i) expect_answer_or_no_memory(i, results[i]);
    const auto after = index->search_batch(requests_);
    for (std::size_t i = 0; i < kRequests; ++i)
      if (i != kRequests / 2) {
        EXPECT_TRUE(after[i] && same_answer(*after[i], expected_[i])) << first << ' ' << i;
      }
  }
  EXPECT_GT(first, 20u);
}

TEST_F(Allocation, ABatchEndsWhenNoAllocationSucceedsAnyMore) {
  for (std::uint64_t first = 1; first < 200; ++first) {
    const auto index = open_index(built_, options_);
    fail_allocations(first, kForEver);
    const auto results = index->search_batch(requests_);
    (void)stop_failing_allocations();
    ASSERT_EQ(results.size(), kRequests);
    for (std::size_t i = 0; i < kRequests; ++i) expect_answer_or_no_memory(i, results[i]);
    EXPECT_TRUE(index->search(requests_[0]));
  }
}

TEST_F(Allocation, AnAsyncThreadOutlivesFailures) {
  const auto index = open_index(built_, options_);
  const auto engine = must(index->start_async({}));
  bool failed = true;
  std::uint64_t first = 0;
  for (; failed; ++first) {
    std::promise<void> ended;
    Result<SearchResult> answer;
    SearchRequest request = request_for(built_, 1);
    request.list_size = 300;  // more blocks than the machine has made room for
    bool armed = false;
    request.allow = [&](Label) {
      if (!std::exchange(armed, true)) fail_allocations(first, kForEver);
      return true;
    };
    must(engine->submit(request, [&](Result<SearchResult> result) {
      failed = stop_failing_allocations() != 0;
      answer = std::move(result);
      ended.set_value();
    }));
    ended.get_future().wait();
    EXPECT_TRUE(answer || fails_with(answer, ErrorCode::out_of_memory)) << first;
  }
  EXPECT_GT(first, 1u);
}

TEST_F(Allocation, ASubmissionThatFindsNoMemorySaysSo) {
  const auto index = open_index(built_, options_);
  const auto engine = must(index->start_async({}));
  const SearchRequest bad = requests_[kRequests / 2];
  fail_allocations(0, kForEver);
  const auto refused = engine->submit(bad, [](const Result<SearchResult>&) {});
  EXPECT_GT(stop_failing_allocations(), 0u);
  EXPECT_TRUE(fails_with(refused, ErrorCode::out_of_memory));
}

TEST(AsyncMemory, ALongListGoesWithItsSearch) {
  const auto built = build_index({.count = 20'000, .dim = 4, .degree = 8});
  const auto index = open_index(*built, {.io = IoBackend::sync});
  const auto engine = must(index->start_async({}));
  const auto live_after = [&](std::uint32_t list_size) {
    std::promise<std::int64_t> live;
    SearchRequest request = request_for(*built, 1);
    request.list_size = list_size;
    must(engine->submit(request, [&](const Result<SearchResult>& result) {
      EXPECT_TRUE(result);
      live.set_value(live_bytes());
    }));
    return live.get_future().get();
  };
  live_after(50);
  const std::int64_t before = live_after(50);
  EXPECT_GT(before, 0);
  live_after(20'000);
  EXPECT_LT(live_after(50), before + (64 << 10));
}

}  // namespace
}  // namespace cairn::search::testing
