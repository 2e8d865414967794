// Builds an index folder from vectors, of any number that the disk holds, within a memory budget.
// Not insertion: vectors are partitioned, each partition is linked by matrix products, partitions
// are joined, and the folder is published by one rename. Until then no reader sees it. What is
// finished of a long build is kept in its work folder, `<folder>.building`: the same call goes on
// from there after a crash, a full disk or a cancellation, and ends with the same bytes.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

/// What a build will take, said before it starts.
struct BuildPlan {
  std::uint64_t vectors = 0;
  std::uint32_t partitions = 0;
  double copies = 1;               // linked copies of a vector, 1 to 2: near borders there are two
  std::uint64_t memory_bytes = 0;  // peak
  std::uint64_t memory_min_bytes = 0;  // the smallest budget that works
  std::uint64_t disk_bytes = 0;        // peak of work folder and index, input not included
  std::uint64_t index_bytes = 0;       // of the finished index
  double seconds = 0;                  // from a calibration of this machine on these vectors
  struct Phase {
    std::string name;
    double seconds = 0;
    std::uint64_t units = 0;  // what a crash loses is at most one
  };
  std::vector<Phase> phases;
  std::uint64_t units_done = 0;  // by an earlier run that this one goes on from
};

struct BuildProgress {
  std::string_view
      phase;  // "read", "scatter", "link", "merge", "repair", "write", "verify", "recall", ...
  std::uint64_t done = 0, total = 0;  // of the phase
  double share = 0;                   // of the whole build, 0 to 1, by estimated time
  double left_s = 0;                  // estimated; 0 when unknown
  std::uint64_t memory_bytes = 0;     // resident in this process
  std::uint64_t disk_bytes = 0;       // of the work folder
};

/// Least of BuildOptions::degree.
inline constexpr std::uint32_t kBuildDegreeMin = 8;

struct BuildOptions {
  Metric metric = Metric::l2;
  std::uint32_t code_bytes = 32;  // base code, bytes a vector; above dim it counts as dim
  /// Residual code on top, bytes a vector; 0: none; above dim it counts as dim. Unset: 32, and from
  /// 512 dimensions on an eighth of the dimension.
  std::optional<std::uint32_t> refine_bytes = {};
  /// Bytes of the layers of the residual code, which are loaded one by one as memory allows; they
  /// then say what refine_bytes is. Empty: chosen by refine_bytes and the number of vectors.
  std::vector<std::uint32_t> refine_layers = {};
  std::uint32_t degree = 64;     // R: most out-edges of a node, 8..512
  std::uint32_t nav_edges = 32;  // edges of a node kept in RAM form, rounded up to 8
  std::uint32_t threads = 0;     // 0: all of the machine
  std::uint64_t seed = 1;
  double alpha = 1.2;  // pruning slack on distances (not squared)
  /// What the process may hold resident, everything counted. 0: half of what it is allowed.
  std::uint64_t memory_bytes = 0;
  /// Most that work folder and index may take together. 0: what is free.
  std::uint64_t disk_bytes = 0;
  std::uint32_t partitions = 0;  // at least so many; 0: as few as the memory allows
  /// Rows that recall is measured with at the end, so that a search can ask for it: see
  /// CalibrateOptions. In what of the index fits into memory_bytes beside the searches: it decides
  /// which states are measured, and so the bytes of the calibration. 0: it is not measured.
  std::uint32_t calibration_rows = 1000;
  std::uint32_t read_timeout_ms = kReadTimeoutMs;  // of the searches that measure recall
  /// The graph that comes with the vectors in place of one that is built: its edges stand as they
  /// are, nearest first, and only rows that have more than `degree` are pruned. Partitions then
  /// decide on memory and on the order on disk alone. invalid_argument for a source without edges.
  bool keep_edges = false;
  bool fresh = false;  // drop what an earlier run left instead of going on
  std::function<bool(const BuildProgress&)> progress = {};  // return false to cancel
  std::function<bool(const BuildPlan&)> planned = {};       // before the work starts; false cancels
  std::function<void(const std::string& line)> log = {};
};

struct BuildReport {
  std::uint64_t vectors = 0, duplicates = 0, edges = 0, dropped_edges = 0, repair_edges = 0;
  std::uint64_t blocks = 0, disk_bytes = 0;
  std::uint32_t slots_per_block = 0;
  double mean_degree = 0;
  std::uint32_t partitions = 0;
  double copies = 1;              // linked copies of a vector
  std::uint32_t walk_passes = 0;  // over all edges, to prove that every vector is reached
  BuildPlan plan;
  double wall_s = 0, cpu_s = 0;  // of this run
  std::uint64_t memory_peak_bytes = 0, disk_peak_bytes = 0;
  struct Phase {
    std::string name;
    double wall_s = 0, cpu_s = 0;
  };
  std::vector<Phase> phases;
};

/// Builds the index of `source` in `folder`, which must not exist. The result is the same, byte for
/// byte, for the same vectors, options and seed, whatever the number of threads and however often
/// it was interrupted; kernels of another CPU may round differently, and memory_bytes is an option:
/// it decides on partitions and on what the calibration measures. Errors as of Builder::add and
/// Builder::finish; also over_limit when no partitioning fits `memory_bytes` (naming the smallest
/// budget that does) or the disk; already_exists when the work folder holds another build's state
/// (`fresh` drops it). Time grows a little faster than vectors * dim.
Result<BuildReport> build_index(const std::string& folder, VectorSource& source,
                                const BuildOptions& options = {});

/// The plan of that build without running it, calibrated by building a few thousand of its vectors
/// beside `folder` in a few seconds. `vectors`: as if there were so many like those; 0: as many as
/// there are. no_space when there is no room for the finished index.
Result<BuildPlan> plan_build(const std::string& folder, VectorSource& source,
                             const BuildOptions& options = {}, std::uint64_t vectors = 0);

/// For vectors that come one batch after another. They are kept in the work folder until finish().
/// Not thread-safe.
class Builder {
 public:
  /// `folder` must not exist. Goes on with what an earlier builder of the same options left: see
  /// added(). already_exists, busy (another builder is at work on it), invalid_argument.
  static Result<std::unique_ptr<Builder>> create(const std::string& folder, std::uint32_t dim,
                                                 DType dtype, const BuildOptions& options = {});
  virtual ~Builder() = default;

  /// Appends vectors. Without `labels` a vector's label is its position in the order of adding;
  /// either every call gives labels or none does. invalid_argument, naming the row, for NaN or
  /// infinity, an element of a magnitude above sqrt(FLT_MAX / (8 dim)), a vector under cosine that
  /// is zero or of a norm below 1e-12, a wrong dim or dtype; nothing of the batch is added.
  virtual Status add(const VectorBatch& vectors, std::span<const Label> labels = {}) = 0;

  /// Vectors that this build has: add those that follow. Not 0 at first when it goes on after an
  /// interruption: of what was added, all but at most the last 256 MiB survive.
  virtual std::uint64_t added() const = 0;

  /// Builds and publishes. Duplicate labels are invalid_argument. An index of no vectors is
  /// invalid_argument. The result is the same, byte for byte, for the same input, options and
  /// seed, whatever the number of threads; kernels of another CPU may round differently. A builder
  /// finishes once: a second call is invalid_argument. cancelled when `progress` returns false or
  /// throws; already_exists when the folder has appeared meanwhile; over_limit when the degree is
  /// too low to reach every vector; no_space, io, out_of_memory; corrupt when what was written does
  /// not read back. Time grows a little faster than vectors * dim: the matrix products of about 14
  /// leaves of 320 for each vector, twice for those near a border of partitions.
  virtual Result<BuildReport> finish() = 0;
};

}  // namespace cairn
