#include "tools/compare/comparison.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "tools/figures.h"

namespace cairn::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kListMax = 10'240;  // beyond it a scan is the better search
constexpr std::uint32_t kWholeRecall = 1'000;
constexpr double kRounding = 1e-9;  // of a mean

double mean_recall(const AnswerTable& answers, const Questions& questions) {
  double sum = 0;
  for (std::uint64_t i = 0; i < answers.queries(); ++i)
    sum += recall_of(answers, i, questions.kth_distance[i], questions.kind);
  return sum / static_cast<double>(answers.queries());
}

void keep(AnswerTable& answers, std::uint64_t query, std::span<const Neighbor> found) {
  for (std::size_t rank = 0; rank < std::min<std::size_t>(found.size(), answers.k); ++rank)
    answers.set(query, rank, found[rank].label, double{found[rank].distance});
}

}  // namespace

Result<SideRow> measure_old(OldIndex& old, const Questions& questions, std::uint32_t effort,
                            const Tick& tick) {
  const std::uint64_t count = questions.queries.count;
  SideRow side{effort, {}, AnswerTable(count, questions.k)};
  if (effort != 0) old.set_effort(effort);
  std::vector<Neighbor> found;
  CAIRN_TRY(old.search(questions.queries.row(0), questions.k, found));
  double wall_us = 0;
  const double cpu = cpu_seconds();
  for (std::uint64_t i = 0; i < count; ++i) {
    const Clock::time_point start = Clock::now();
    CAIRN_TRY(old.search(questions.queries.row(i), questions.k, found));
    side.answers.latency_us[i] =
        std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    wall_us += side.answers.latency_us[i];
    keep(side.answers, i, found);
    if (i % 64 == 63) CAIRN_TRY(tick(i + 1));
  }
  const double cpu_s = cpu_seconds() - cpu;
  const Latency latency = latency_of(side.answers.latency_us);
  side.row = {.list_size = effort,
              .threads = 1,
              .recall = mean_recall(side.answers, questions),
              .qps = 1e6 * static_cast<double>(count) / wall_us,
              .mean_us = latency.mean_us,
              .p50_us = latency.p50_us,
              .p99_us = latency.p99_us,
              .p999_us = latency.p999_us,
              .cpu_us = 1e6 * cpu_s / static_cast<double>(count)};
  return side;
}

Status OwnRows::measure(std::uint32_t effort) {
  if (rows_.contains(effort)) return {};
  SideRow side{effort, {}, AnswerTable(questions_.queries.count, questions_.k)};
  RecallOptions options;
  options.k = questions_.k;
  if (by_recall_)
    options.recall = static_cast<double>(effort) / kWholeRecall;
  else
    options.list_size = effort;
  options.seen = [&](std::uint64_t query, const SearchResult& result, double latency_us) {
    keep(side.answers, query, result.neighbors);
    side.answers.latency_us[query] = latency_us;
  };
  CAIRN_ASSIGN(side.row, measure_recall(index_, questions_.queries, questions_.kth_distance,
                                        options, started_(effort)));
  rows_.emplace(effort, std::move(side));
  return {};
}

std::uint32_t OwnRows::effort_max() const {
  if (by_recall_) return kWholeRecall;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(
      questions_.k, std::min<std::uint64_t>(index_.stats().vector_count, kListMax)));
}

/// Twice the list, or half of what recall lacks.
std::uint32_t OwnRows::more(std::uint32_t effort) const {
  return by_recall_ ? kWholeRecall - (kWholeRecall - effort) / 2
                    : std::min(effort_max(), 2 * effort);
}

Result<const SideRow*> OwnRows::least(double recall) {
  if (rows_.empty()) CAIRN_TRY(measure(by_recall_ ? kWholeRecall / 2 : questions_.k));
  while (least_measured(recall) == nullptr) {
    const std::uint32_t most = rows_.rbegin()->first;
    if (most >= effort_max()) return nullptr;
    CAIRN_TRY(measure(more(most)));
  }
  while (true) {
    const SideRow* enough = least_measured(recall);
    const auto at = rows_.find(enough->effort);
    const std::uint32_t low = at != rows_.begin() ? std::prev(at)->first
                              : by_recall_        ? 0
                                                  : questions_.k - 1;
    if (enough->effort <= low + 1) return enough;
    CAIRN_TRY(measure(low + (enough->effort - low) / 2));
  }
}

const SideRow* OwnRows::least_measured(double recall) const {
  for (const auto& [effort, side] : rows_)
    if (side.row.recall >= recall - kRounding) return &side;
  return nullptr;
}

const SideRow* first_of(std::span<const SideRow* const> rows, double recall) {
  const auto found = std::ranges::find_if(
      rows, [&](const SideRow* side) { return side->row.recall >= recall - kRounding; });
  return found != rows.end() ? *found : nullptr;
}

const SideRow* best_of(std::span<const SideRow* const> rows) {
  return *std::ranges::max_element(rows, {}, [](const SideRow* side) { return side->row.recall; });
}

double overlap(const SideRow& one, const SideRow& other) {
  double sum = 0;
  for (std::uint64_t i = 0; i < one.answers.queries(); ++i)
    sum += overlap_of(one.answers, other.answers, i);
  return sum / static_cast<double>(one.answers.queries());
}

PairReport compare_queries(const SideRow& old, const SideRow& own, const Questions& questions,
                           std::size_t worst_max) {
  PairReport report;
  std::vector<QueryPair> pairs;
  for (std::uint64_t i = 0; i < questions.queries.count; ++i) {
    const float kth = questions.kth_distance[i];
    pairs.push_back({.query = i,
                     .old_recall = recall_of(old.answers, i, kth, questions.kind),
                     .own_recall = recall_of(own.answers, i, kth, questions.kind),
                     .overlap = overlap_of(old.answers, own.answers, i)});
    report.worse += pairs.back().own_recall < pairs.back().old_recall ? 1 : 0;
    report.better += pairs.back().own_recall > pairs.back().old_recall ? 1 : 0;
  }
  const auto order = [](const QueryPair& pair) {
    return std::tuple(pair.own_recall - pair.old_recall, pair.own_recall, pair.query);
  };
  const std::size_t count = std::min(worst_max, pairs.size());
  std::partial_sort(pairs.begin(), pairs.begin() + static_cast<std::ptrdiff_t>(count), pairs.end(),
                    [&](const QueryPair& a, const QueryPair& b) { return order(a) < order(b); });
  pairs.resize(count);
  report.worst = std::move(pairs);
  return report;
}

}  // namespace cairn::tools
