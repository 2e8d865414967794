// The index of a folder: open it, search it, fetch from it, verify it. Nothing here prints, throws,
// installs a handler or starts a thread that was not asked for.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn {

/// How blocks are read. `automatic` takes io_uring and falls back to a pread thread pool where the
/// kernel or a container refuses it (said once through OpenOptions::log).
enum class IoBackend : std::uint8_t { automatic, uring, pread, sync };

/// Where something is: a segment of the snapshot and a slot in it.
struct Ref {
  std::uint32_t segment = 0;
  std::uint32_t slot = 0;
  friend bool operator==(const Ref&, const Ref&) = default;
};

struct OpenOptions {
  /// All that the open index may keep in RAM: codes (must fit), entry points, refinement,
  /// navigation edges, block cache. Unset: all of these but the cache, but at most half of the
  /// memory this process may use (cgroup included). over_limit, naming the smallest that works,
  /// when the codes do not fit.
  std::optional<std::uint64_t> memory_limit_bytes = {};
  /// The limit is this times the number of vectors, in place of memory_limit_bytes; for `60B/v` on
  /// a command line. Both together are invalid_argument.
  std::optional<double> memory_limit_bytes_per_vector = {};
  IoBackend io = IoBackend::automatic;
  bool direct = true;  // O_DIRECT where the file system takes it
  /// Blocks outstanding per searching thread, 1..1024; each thread that searches at the same time
  /// has its own ring and so many buffers of a block, outside the memory limit.
  std::uint32_t io_depth = 64;
  /// A block that has not come back after this fails the searches under way on its ring (io), and
  /// the next search opens another; 0: no limit. What the lost reads may still write to stays
  /// allocated. The same for the loading of codes, refinement and navigation. Not for
  /// IoBackend::sync, nor for what else is no search: that reads on the calling thread.
  std::uint32_t read_timeout_ms = kReadTimeoutMs;
  /// Called from any thread that opens or searches.
  std::function<void(const std::string& line)> log = {};
};

/// Why a search ended.
enum class Stop : std::uint8_t {
  list_exhausted,  // nothing within the list is left to read: the normal end
  bound,           // nothing unread looked near enough to be worth a read: see slack
  exhausted,       // fewer than k vectors exist (or are admitted): all are returned
  reads_max,       // the read budget was used up; best so far
  deadline,        // the deadline passed; best so far
};
std::string_view stop_name(Stop stop);

struct SearchRequest {
  VectorView query;             // dim and dtype of the index
  std::uint32_t k = 10;         // >= 1
  std::uint32_t list_size = 0;  // L: candidates kept and reranked; 0: max(2 k, 40)
  /// Lets easy searches end before their list. The code distance of what is unread has to be within
  /// (1 + slack) times the k-th best distance found, and each block in a row that gave no result
  /// narrows that by 1/256; under inner product the k-th product takes the place of the distance.
  /// 0 to 0.3 is usual, more where codes are coarse; it may be negative. Give it a long list_size,
  /// which stays the most that is read. Unset: the whole list is read.
  std::optional<float> slack = {};
  /// recall@k to aim at, in place of list_size and slack: (0, 1]. Mean recall within -0.5 and +1.5
  /// points of it on queries like those that the index was calibrated with; above where the least
  /// effort finds more. Index::effort says what it comes to. `unsupported` for an index that was
  /// not calibrated for as little as is in memory, or whose calibration cannot be read.
  std::optional<double> recall = {};
  /// Whether edges that are in RAM are walked. false: the blocks that are read lead the way, as
  /// they do with no edges in RAM. Where `recall` is given it chooses, by which takes less.
  bool edges = true;
  /// Physical reads of this query in units of 4 KiB, as SearchCounters::reads counts them; 0: no
  /// bound. Less than a block costs reads nothing.
  std::uint32_t reads_max = 0;
  /// No read is chosen after it; those chosen before are waited for. In a batch one may begin a
  /// little later than it was chosen.
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  /// Only labels for which this holds are returned. Navigation ignores it. Called on the searching
  /// thread; must not throw.
  std::function<bool(Label)> allow = {};
};

struct Neighbor {
  Label label = 0;
  float distance = 0;  // squared l2; 1 - dot; 1 - cosine
};

struct SearchCounters {
  std::uint32_t reads = 0;       // physical, in units of 4 KiB
  std::uint32_t cache_hits = 0;  // blocks found in the cache
  std::uint32_t shared = 0;      // blocks that another search of the batch or thread was reading
  std::uint32_t rounds = 0;      // times the query waited for reads
  std::uint32_t code_distances = 0;
  std::uint32_t refined_distances = 0;  // to codes that have a refinement in RAM
  std::uint32_t exact_distances = 0;
  std::uint32_t expanded = 0;  // nodes whose out-edges were followed
  SearchCounters& operator+=(const SearchCounters& other);
};

struct SearchResult {
  std::vector<Neighbor> neighbors;  // ascending by (distance, label), at most k, labels distinct
  Stop stop = Stop::list_exhausted;
  SearchCounters counters;
};

/// What a wanted recall comes to, by what was measured on the index.
struct SearchEffort {
  std::uint32_t list_size = 0;
  bool edges = true;     // whether edges in RAM are walked
  float slack = 0;       // in a batch, with one block of each search under way
  float slack_wide = 0;  // of a lone search
  double recall = 0;     // expected
  double reads = 0;      // of 4 KiB in a batch, none from the cache, expected
  double reads_wide = 0;
  bool reached = false;  // whether so much recall was measured at all
  bool least = false;    // less effort was not measured: it finds what was asked for, or more
  bool least_wide = false;
};

struct BatchOptions {
  /// Over all queries of the batch; at most io_depth. Of more queries with slack than that each has
  /// one block under way and sees what it holds before it chooses the next: that costs fewer reads
  /// than the four of a lone query, and finds a little less for the same slack.
  std::uint32_t reads_in_flight = 32;
};

/// One block of an explained search.
struct ExplainedRead {
  std::uint32_t round = 0;  // of waiting, from 1; 0: in the cache, before any
  Ref lead;                 // the candidate that it was read for
  float code_distance = 0;  // of the candidate, by the best codes in RAM
  /// The slack that this read took: the search ends before the first that takes more than it has.
  /// Unset while there are fewer than k results.
  std::optional<float> slack_needed = {};
  std::string file;  // and the block in it
  std::uint64_t block = 0;
  bool cached = false;
  std::uint32_t vectors = 0;         // scored exactly
  std::uint32_t expanded = 0;        // nodes whose edges were followed when it arrived
  std::uint32_t code_distances = 0;  // looked up on the way
  std::uint32_t results = 0;         // of its vectors, among the k best so far
  float kth_distance = 0;            // after it; infinite while there are fewer than k results
};

/// What a lone search did, and why it ended.
struct Explanation {
  SearchResult result;
  std::uint32_t list_size = 0;
  std::optional<float> slack = {};
  bool edges = false;  // whether edges in RAM were walked
  /// Blocks under way at once, at most, while each may change what is wanted next. A list that is
  /// final before the first read is read with io_depth of them.
  std::uint32_t width = 0;
  std::uint32_t entry_code_distances = 0;  // at the entry points, and walking from them in RAM
  std::uint32_t entry_expanded = 0;        // nodes expanded in RAM before the first read
  std::vector<ExplainedRead> reads;        // in the order of arrival
  /// What the search would have read next, had it not ended: what it took, and its code distance.
  std::optional<float> next_slack_needed = {}, next_code_distance = {};
};

/// What an open index is and holds.
struct IndexStats {
  std::uint64_t vector_count = 0, slot_count = 0, edge_count = 0, disk_bytes = 0;
  std::uint32_t segment_count = 0, dim = 0, code_bytes = 0, refine_bytes = 0;
  std::uint32_t refine_bytes_loaded = 0, nav_edges_loaded = 0, slots_per_block = 0;
  std::uint32_t block_bytes = 0, degree_max = 0;
  DType dtype = DType::f32;
  Metric metric = Metric::l2;
  /// Everything the open index allocates: codes, tables, entry points, navigation, cache. Beside it
  /// are the contexts of searching threads: io_depth blocks and at most 256 KiB each.
  std::uint64_t index_ram_bytes = 0;
  std::uint64_t codes_ram_bytes = 0, refine_ram_bytes = 0, nav_ram_bytes = 0;
  std::uint64_t entries_ram_bytes = 0, cache_ram_bytes = 0;
  std::uint64_t cache_hits = 0, cache_misses = 0, block_reads = 0;  // since open; reads of 4 KiB
  bool calibrated = false;  // for as little as is in memory: recall can be asked for
  std::string io_backend;   // what is really used
  std::string kernel_path;
};

struct VerifyReport {
  std::uint64_t blocks = 0, vectors = 0, edges = 0;
  std::uint64_t unreachable = 0, without_in_edge = 0;
  std::uint64_t problem_count = 0;
  std::vector<Error> problems;  // the first of them, at most VerifyOptions::problems_max
  bool ok() const { return problem_count == 0; }
};
struct VerifyOptions {
  std::uint32_t problems_max = 20;  // 0: they are only counted
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// What `cairn inspect` shows of the blocks; one sequential pass.
struct StructureReport {
  std::vector<std::uint64_t> degree_histogram;  // [d] = nodes of out-degree d
  std::uint64_t edges = 0, edges_inside_block = 0, adjacency_bytes = 0;
  std::uint64_t blocks = 0, places = 0, vectors = 0;
  struct Part {
    std::string name;
    std::uint64_t bytes = 0;
  };
  std::vector<Part> parts;  // files by role
};

class AsyncEngine;
struct ExamineOptions;  // <cairn/examine.h>
struct Examination;

/// A pass over all stored vectors, in the order of disk. Not thread-safe; the index must outlive
/// it.
class VectorScan {
 public:
  virtual ~VectorScan() = default;
  /// Fills `rows` (count x dim of the index's dtype) and `labels` with the next vectors, as many as
  /// both have room for; fewer only at the end, then 0. corrupt, io.
  virtual Result<std::size_t> next(std::span<std::byte> rows, std::span<Label> labels) = 0;
};

/// An open index. Thread-safe: any number of threads may search one Index at once, any number of
/// processes may open one folder. Opening pins the manifest: what it names is not deleted.
class Index {
 public:
  /// not_found, corrupt (with file and block), unsupported, over_limit. O(bytes loaded). A
  /// calibration that is missing or damaged is said through OpenOptions::log: without it no recall
  /// can be asked for, and calibrate_index makes another.
  static Result<std::unique_ptr<Index>> open(const std::string& folder,
                                             const OpenOptions& options = {});
  virtual ~Index() = default;

  /// Blocks the calling thread. k above the number of vectors returns them all (Stop::exhausted).
  /// invalid_argument for k = 0, a slack that is no finite number, a bad `recall`, a wrong dim or
  /// dtype, NaN or infinity, an element of a magnitude above sqrt(FLT_MAX / (8 dim)), a vector
  /// under cosine that is zero or of a norm below 1e-12; unsupported for `recall` of an index
  /// without calibration; corrupt (naming file and block) and io of the blocks that it reads;
  /// cancelled when `allow` throws; out_of_memory; and what keeps a back end from opening, as each
  /// further thread that searches at the same time opens one. O(list_size * (degree + log
  /// list_size)) distances of codes and steps, about list_size blocks read or found in the cache;
  /// for a list of all vectors, all of them.
  virtual Result<SearchResult> search(const SearchRequest& request) const = 0;

  /// Answers all requests on the calling thread, interleaved on one ring; one result per request.
  /// Empty only when not even that many results could be allocated. Errors and costs of a request
  /// are those of search(), and fail that request alone, but for a lost device, which fails those
  /// under way.
  virtual std::vector<Result<SearchResult>> search_batch(
      std::span<const SearchRequest> requests, const BatchOptions& options = {}) const = 0;

  /// The stored vector of `label`: dim elements of the index's dtype. not_found if there is none,
  /// corrupt, io, out_of_memory. At most 2 page reads a segment beside the vector's own block, none
  /// of them through the cache; O(log vectors) comparisons.
  virtual Result<std::vector<std::byte>> get(Label label) const = 0;

  /// Starts a pass over all vectors. RAM: one buffer of 1 MiB.
  virtual Result<std::unique_ptr<VectorScan>> scan() const = 0;

  /// Every checksum and every invariant: digests, ids, degrees, labels, directed reachability from
  /// the entry points. Reads every file once, and blocks again for the walk; RAM of about 1 byte a
  /// slot and a few MiB. What is wrong is a problem of the report, not an error of the call; that
  /// has only out_of_memory, and cancelled when `progress` throws. O(bytes of the index) for each
  /// sweep of the walk.
  virtual Result<VerifyReport> verify(const VerifyOptions& options = {}) const = 0;
  /// Reads the blocks once, in order. `progress` is called now and then, and at the end, with
  /// blocks read. corrupt, io, out_of_memory. O(bytes of the blocks).
  virtual Result<StructureReport> inspect(
      const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {}) const = 0;

  /// Searches as search() does, and tells. Errors of search(), and invalid_argument for a deadline,
  /// which telling would miss. Own buffers: io_depth blocks. Its reads count in stats().
  virtual Result<Explanation> explain(const SearchRequest& request) const = 0;

  /// What the index is like, what searches find, and for each true neighbour that they miss, why:
  /// see <cairn/examine.h>.
  virtual Result<Examination> examine(const ExamineOptions& options) const = 0;

  /// What a search with `recall` would spend. invalid_argument for a k of 0 or a recall outside
  /// (0, 1]; unsupported when the index was not calibrated for as little as is in memory. Touches
  /// no disk.
  virtual Result<SearchEffort> effort(std::uint32_t k, double recall) const = 0;

  /// Never fails, touches no disk. O(segments).
  virtual IndexStats stats() const = 0;
  /// Empties the block cache (for measurements).
  virtual void drop_cache() const = 0;

  /// Options of start_async.
  struct AsyncOptions {
    std::uint32_t threads = 1;
    std::uint32_t queue_max = 1024;      // waiting requests; beyond: ErrorCode::busy at once
    std::uint32_t reads_in_flight = 32;  // per thread; at most io_depth
  };
  /// Starts the threads of asynchronous search; see <cairn/asio.h>. One per index is enough.
  /// invalid_argument for options of 0 or above 1,024 threads, 2^30 waiting requests or 1,024
  /// reads; io when a thread is refused, out_of_memory, and what keeps a back end from opening.
  /// O(threads * io_depth): each thread has its own back end and buffers.
  virtual Result<std::unique_ptr<AsyncEngine>> start_async(const AsyncOptions& options) const = 0;
};

/// Threads that answer requests from a bounded queue. The index must outlive it. Destruction
/// completes what is pending with ErrorCode::cancelled, waiting for the reads in flight; not from a
/// completion.
class AsyncEngine {
 public:
  using Completion = std::function<void(Result<SearchResult>)>;
  /// Handle of a submitted request.
  using Ticket = std::uint64_t;
  virtual ~AsyncEngine() = default;
  /// Takes a copy of the request and of its query. `completion` runs exactly once on an engine
  /// thread and must not block or throw. At once, and then the completion is not called: errors of
  /// Index::search for the request, busy when the queue is full, cancelled during destruction.
  virtual Result<Ticket> submit(const SearchRequest& request, Completion completion) = 0;
  /// Asks for an early end: the completion gets ErrorCode::cancelled unless its search has ended.
  /// A ticket that has completed is ignored.
  virtual void cancel(Ticket ticket) = 0;
};

}  // namespace cairn
