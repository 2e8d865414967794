// Two indexes of the same vectors, asked the same queries: one row an effort of each, what both
// found, and which of our rows stands beside one of theirs.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/compare/old_index.h"
#include "tools/recall/answers.h"
#include "tools/recall/measure.h"

namespace cairn::tools {

/// All queries once, one after the other on one thread.
struct SideRow {
  std::uint32_t effort = 0;  // ef, efSearch, nprobe; thousandths of row.asked, else a list size
  RecallRow row;
  AnswerTable answers;
};

/// What is asked, and what is right.
struct Questions {
  VectorBatch queries;
  std::span<const float> kth_distance;
  std::uint32_t k = 10;  // at most the vectors of the index
  AnswerKind kind;
};

/// `tick` as of measure_recall().
using Tick = std::function<Status(std::uint64_t done)>;

/// A first search is not measured.
Result<SideRow> measure_old(OldIndex& old, const Questions& questions, std::uint32_t effort,
                            const Tick& tick);

/// Rows of ours by effort, measured as they are asked for.
class OwnRows {
 public:
  /// Efforts are recall asked for where `by_recall`, else list sizes. `started` gives the tick of a
  /// row that begins.
  OwnRows(const Index& index, const Questions& questions, bool by_recall,
          std::function<Tick(std::uint32_t effort)> started)
      : index_(index), questions_(questions), by_recall_(by_recall), started_(std::move(started)) {}

  const std::map<std::uint32_t, SideRow>& rows() const { return rows_; }
  Status measure(std::uint32_t effort);

  /// The least effort whose recall is at least `recall`, to one of the list or a thousandth of
  /// recall; null where the most effort does not reach it. Doubles the effort, then halves what is
  /// between: O(log effort) rows, which are kept. Recall is taken to grow with effort.
  Result<const SideRow*> least(double recall);

 private:
  const SideRow* least_measured(double recall) const;
  std::uint32_t effort_max() const;
  std::uint32_t more(std::uint32_t effort) const;

  const Index& index_;
  const Questions& questions_;
  bool by_recall_;
  std::function<Tick(std::uint32_t)> started_;
  std::map<std::uint32_t, SideRow> rows_;
};

/// The first row with at least that recall, null where none has it; and the one of the most. Not
/// without rows.
const SideRow* first_of(std::span<const SideRow* const> rows, double recall);
const SideRow* best_of(std::span<const SideRow* const> rows);

/// Of all queries, on average.
double overlap(const SideRow& one, const SideRow& other);

/// One query, as both rows answered it.
struct QueryPair {
  std::uint64_t query = 0;
  double old_recall = 0, own_recall = 0, overlap = 0;
};

struct PairReport {
  std::uint64_t worse = 0, better = 0;  // queries of which we find fewer, and more
  std::vector<QueryPair> worst;         // most lost first, then least found, then by number
};
PairReport compare_queries(const SideRow& old, const SideRow& own, const Questions& questions,
                           std::size_t worst_max);

}  // namespace cairn::tools
