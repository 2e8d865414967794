#include "tests/reliability/faulty_answers.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>

namespace cairn::reliability {
namespace {

constexpr std::size_t kQueries = 48;
constexpr std::uint64_t kFaultsShown = 10;

std::vector<std::uint8_t> random_bytes(std::size_t count, math::Rng& rng) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
  return bytes;
}

void raise(std::atomic<std::int64_t>& most, std::int64_t value) {
  for (std::int64_t was = most; value > was && !most.compare_exchange_weak(was, value);) {
  }
}

std::int64_t us_between(Checker::Clock::time_point from, Checker::Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

bool same(const std::vector<Neighbor>& a, const std::vector<Neighbor>& b) {
  return std::ranges::equal(a, b, [](const Neighbor& x, const Neighbor& y) {
    return x.label == y.label && x.distance == y.distance;
  });
}

}  // namespace

Answers::Answers(std::uint64_t seed) {
  math::Rng rng(seed);
  rows_ = random_bytes(std::size_t{kCount} * kDim, rng);
  queries_ = random_bytes(kQueries * kDim, rng);
}

float Answers::distance(std::size_t query, Label label) const {
  int sum = 0;
  for (std::size_t i = 0; i < kDim; ++i) {
    const int apart = rows_[label * kDim + i] - queries_[query * kDim + i];
    sum += apart * apart;
  }
  return static_cast<float>(sum);
}

Status Answers::learn(const Index& whole) {
  for (std::size_t list = 0; list < std::size(kListSizes); ++list)
    for (std::size_t i = 0; i < queries(); ++i) {
      CAIRN_ASSIGN(auto result, whole.search(plain(i, list, true).request));
      learned_.push_back(std::move(result.neighbors));
    }
  return {};
}

Ask Answers::plain(std::size_t i, std::size_t list, bool whole) const {
  Ask ask{.request = {}, .query = i, .list = list, .whole = whole};
  ask.request = {.query = query(i), .k = kK, .list_size = kListSizes[list]};
  return ask;
}

Ask Answers::draw(bool whole, math::Rng& rng) const {
  // A list of everything reads everything: one in sixteen.
  const std::size_t list = rng.below(16) == 0 ? 2 : rng.below(2);
  Ask ask = plain(rng.below(queries()), list, whole);
  if (rng.below(4) == 0) ask.request.reads_max = static_cast<std::uint32_t>(1 + rng.below(30));
  if (rng.below(4) == 0) ask.request.slack = static_cast<float>(rng.below(100)) / 500;
  if (rng.below(3) == 0)
    ask.request.deadline = Checker::Clock::now() + std::chrono::microseconds(rng.below(4000));
  return ask;
}

std::string Answers::wrong(const Ask& ask, const SearchResult& result) const {
  const std::vector<Neighbor>& found = result.neighbors;
  std::set<Label> labels;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].label >= kCount || !labels.insert(found[i].label).second)
      return "label " + std::to_string(found[i].label);
    if (found[i].distance != distance(ask.query, found[i].label))
      return "distance of label " + std::to_string(found[i].label);
    if (i > 0 && found[i].distance < found[i - 1].distance) return "order of the results";
  }
  const SearchCounters& counters = result.counters;
  if (ask.request.reads_max != 0 && counters.reads > ask.request.reads_max)
    return std::to_string(counters.reads) + " reads of " + std::to_string(ask.request.reads_max);
  if (counters.exact_distances < found.size()) return "results that were never scored";
  const bool cut_short = result.stop == Stop::deadline || result.stop == Stop::reads_max;
  if (!cut_short && found.size() != kK) return std::to_string(found.size()) + " results";
  // All but the limits decides this: what a search that came to its end has read.
  const bool everything = kListSizes[ask.list] == kCount;
  const bool certain = everything || (ask.whole && !ask.request.slack);
  if (cut_short || !certain || same(found, learned_[ask.list * queries() + ask.query])) return {};
  return "another answer than without faults";
}

void Checker::check(const Ask& ask, const Result<SearchResult>& result, Clock::time_point start) {
  const Clock::time_point now = Clock::now();
  ++counts_.searches;
  raise(counts_.latency_max_us, us_between(start, now));
  if (!result) return check_error(ask, result.error());
  ++counts_.ends[static_cast<std::size_t>(result->stop)];
  counts_.reads += result->counters.reads;
  counts_.cache_hits += result->counters.cache_hits;
  if (const std::string what = answers_.wrong(ask, *result); !what.empty())
    fault("query " + std::to_string(ask.query) + ", list " + std::to_string(ask.list) + ", " +
          std::string(stop_name(result->stop)) + ": " + what);
}

void Checker::check_error(const Ask& ask, const Error& error) {
  if (error.code == ErrorCode::cancelled && ask.may_cancel) {
    ++counts_.cancelled;
    return;
  }
  if (error.code == ErrorCode::io) ++counts_.io_errors;
  if (error.code == ErrorCode::corrupt) ++counts_.corrupt;
  const bool of_a_block = error.code == ErrorCode::io || error.code == ErrorCode::corrupt;
  if (!of_a_block || !error.file.ends_with(".blocks") || error.block.value_or(blocks_) >= blocks_)
    fault(error.to_string());
}

void Checker::check_time(Clock::time_point deadline, Clock::time_point end,
                         std::chrono::nanoseconds without_core) {
  ++counts_.deadlines;
  raise(counts_.late_max_us, us_between(deadline, end));
  counts_.late += end - deadline - without_core > late_max_;
}

void Checker::refused(const Error& error) {
  ++counts_.busy;
  if (error.code != ErrorCode::busy) fault(error.to_string());
}

void Checker::fault(const std::string& what) {
  if (++counts_.faults > kFaultsShown) return;
  const std::lock_guard lock(mutex_);
  std::printf("WRONG: %s\n", what.c_str());
}

}  // namespace cairn::reliability
