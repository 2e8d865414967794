// What ails an index, or the searches on it: recall, drift of the queries, vectors out of reach,
// and for each true neighbour that a search missed, why. Index::examine measures; what to make of
// the figures is the caller's, as `cairn doctor` shows.
#pragma once

#include <cairn/index.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

/// Why a true neighbour was missed: the first that holds, in this order. A neighbour is missed when
/// its block is not read.
enum class MissReason : std::uint8_t {
  not_reachable,  // no path of edges leads to it from any entry point
  misranked,      // not even the usual list would hold it, by the codes in RAM, had all been met
  list_short,     // the usual list would hold it, or finds it; this one does not
  not_met,        // the codes would have it in the list, but no list leads the walk to it
  not_read,       // the list as it was finds it when read to its end: the search ended before
};
inline constexpr std::size_t kMissReasons = 5;
/// "not_reachable", "misranked", "list_short", "not_met", "not_read".
std::string_view miss_reason_name(MissReason reason);

struct ExamineOptions {
  /// Queries of the index's dim and dtype, valid for its metric. None: the rows alone.
  VectorBatch queries = {};
  /// The labels of the true neighbours of each query, and their distances: queries x k, ascending.
  /// Empty: exact neighbours are computed.
  std::span<const Label> truth = {};
  std::span<const float> truth_distances = {};
  /// The searches to be examined, as of SearchRequest.
  std::uint32_t k = 10;
  std::uint32_t list_size = 0;
  std::optional<float> slack = {};
  std::optional<double> recall = {};
  std::uint32_t reads_max = 0;
  /// Rows of the index that are searched for beside the queries, each hidden from its own search,
  /// but at most one in eight: what finds them and not the queries lies in the queries.
  std::uint32_t rows = 300;
  std::uint64_t seed = 1;     // which rows
  std::uint32_t threads = 0;  // 0: all of the machine
  /// Called now and then; false cancels.
  std::function<bool(std::string_view phase, std::uint64_t done, std::uint64_t total)> progress =
      {};
};

/// Recall that is looked for where none is asked for.
inline constexpr double kUsualRecall = 0.95;

using MissCounts = std::array<std::uint64_t, kMissReasons>;  // by MissReason

/// A set of searches.
struct SearchedSet {
  std::uint64_t queries = 0;
  std::uint32_t k = 0;       // neighbours looked for
  std::uint64_t missed = 0;  // of queries * k
  MissCounts missed_for = {};
  double recall = 0, recall_error = 0;  // mean, and its standard error
  double reads = 0, codes = 0;          // a query; reads of 4 KiB, none from the cache
  double kth_distance = 0;              // median
  double entry_distance = 0;            // median, to the nearest head of the entry points
};

/// How far queries lie from where the index has its vectors. Distances are l2; between unit vectors
/// under the other metrics.
struct Drift {
  double median_ratio = 0;  // of the queries' distances to the nearest entry point to the rows'
  double beyond_rows = 0;   // share of queries that are farther than 99 % of the rows
};

/// What the calibration is worth for what is in RAM.
struct CalibrationHealth {
  enum class State : std::uint8_t {
    none,
    unreadable,
    too_much,  // measured only with more in RAM
    less,      // measured with less in RAM: searches find a little more than is asked
    fits,
  };
  State state = State::none;
  std::string problem;     // unreadable: the error
  bool from_rows = false;  // measured with rows of the index, not with queries that were given
  std::uint32_t refine_bytes = 0, nav_edges = 0;  // of the state of memory that is gone by
};

struct PartitionLoad {
  std::uint64_t vectors = 0, neighbors = 0;  // of the queries, or else of the rows
};

struct PoorQuery {
  std::uint64_t query = 0;          // row of the queries, or number of the row drawn
  std::optional<Label> label = {};  // of a row
  std::uint32_t missed = 0;
  std::array<std::uint32_t, kMissReasons> missed_for = {};
};

struct Examination {
  IndexStats stats;
  StructureReport structure;
  std::uint64_t unreachable = 0;  // vectors
  CalibrationHealth calibration;
  std::optional<SearchEffort> effort = {};  // of the recall asked for
  std::uint32_t list_size = 0;              // of the searches
  std::optional<float> slack = {};
  bool edges = false;            // whether they walked edges in RAM
  std::uint32_t usual_list = 0;  // see MissReason
  SearchedSet rows;              // of the index
  std::optional<SearchedSet> queries = {};
  std::optional<Drift> drift = {};        // of the queries
  std::vector<PartitionLoad> partitions;  // in the order of slots
  std::vector<PoorQuery> worst;           // of the queries, or else of the rows; at most three
};

// Index::examine: searches have one block under way at a time where they have slack, as in a batch,
// and else the few of a lone search; every block is taken as read from disk. The usual list is the
// longest of 64, 4 k, four times that of the searches, and what the calibration takes for the
// recall, 0.95 if none is asked for. invalid_argument for options that no search would take,
// queries or truth of another shape, a truth that names a vector at another distance, and an index
// that has neither queries nor rows to search for; not_found for a label of the truth; unsupported
// for `recall` without a calibration that holds; corrupt, io; cancelled; out_of_memory. RAM beside
// the index: 3 bits a slot, (queries + rows) x (6 rows + 12 k), and 1 MiB a thread. O(edges) for
// what is in reach, O((queries + rows) x vectors x dim) for exact neighbours, O(vectors x code
// bytes) for each query that missed one.

}  // namespace cairn
