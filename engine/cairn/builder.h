// Builds an index folder from vectors. Not insertion: everything is added, then finish() carves,
// links, prunes, orders, packs and publishes by one rename. Until then no reader sees the folder,
// and a failed or abandoned build leaves nothing but its own work folder, which it removes.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct BuildProgress {
  std::string_view phase;  // "carve", "prune", "order", "codes", "write", ...
  std::uint64_t done = 0, total = 0;
};

struct BuildOptions {
  Metric metric = Metric::l2;
  std::uint32_t code_bytes = 32;    // base code, bytes a vector; above dim it counts as dim
  std::uint32_t refine_bytes = 32;  // residual code on top; 0: none; above dim it counts as dim
  std::uint32_t degree = 64;        // R: most out-edges of a node, 8..512
  std::uint32_t threads = 0;        // 0: all of the machine
  std::uint64_t seed = 1;
  double alpha = 1.2;  // pruning slack on distances (not squared)
  std::function<bool(const BuildProgress&)> progress = {};  // return false to cancel
  std::function<void(const std::string& line)> log = {};
};

struct BuildReport {
  std::uint64_t vectors = 0, duplicates = 0, edges = 0, dropped_edges = 0, repair_edges = 0;
  std::uint64_t blocks = 0, disk_bytes = 0;
  std::uint32_t slots_per_block = 0;
  double mean_degree = 0;
  struct Phase {
    std::string name;
    double wall_s = 0, cpu_s = 0;
  };
  std::vector<Phase> phases;
};

/// Not thread-safe. The data is kept in memory until finish().
class Builder {
 public:
  /// `folder` must not exist. already_exists, busy (another builder is at work on it),
  /// invalid_argument.
  static Result<std::unique_ptr<Builder>> create(const std::string& folder, std::uint32_t dim,
                                                 DType dtype, const BuildOptions& options = {});
  virtual ~Builder() = default;

  /// Appends vectors. Without `labels` a vector's label is its position in the order of adding;
  /// either every call gives labels or none does. invalid_argument, naming the row, for NaN or
  /// infinity, an element of a magnitude above sqrt(FLT_MAX / (8 dim)), a vector under cosine that
  /// is zero or of a norm below 1e-12, a wrong dim or dtype; nothing of the batch is added.
  virtual Status add(const VectorBatch& vectors, std::span<const Label> labels = {}) = 0;

  /// Builds and publishes. Duplicate labels are invalid_argument. An index of no vectors is
  /// invalid_argument. The result is the same, byte for byte, for the same input, options and
  /// seed, whatever the number of threads; kernels of another CPU may round differently. A builder
  /// finishes once: a second call is invalid_argument. cancelled when `progress` returns false or
  /// throws; already_exists when the folder has appeared meanwhile; over_limit when the degree is
  /// too low to reach every vector; no_space, io, out_of_memory; corrupt when what was written does
  /// not read back. Time grows a little faster than vectors * dim: the matrix products of about 14
  /// leaves of 320 for each vector. RAM: the data, and about 1 KiB a vector for rows of candidates.
  virtual Result<BuildReport> finish() = 0;
};

}  // namespace cairn
