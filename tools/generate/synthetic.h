// Synthetic vectors for scale tests: a mixture of clusters of power-law size, each spread along its
// own few directions with a smoothly decaying spectrum, and a little noise in every dimension.
// Everything random is integer arithmetic, so the same arguments give the same bytes on every
// machine, compiler and number of threads. Rows are independent: the first n rows of a larger set
// are the set of n.
#pragma once

#include <cairn/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/math/kmeans.h"

namespace cairn::tools {

/// The shape of the mixture, chosen by measurement at 128-d (bench/tools/hardness): as hard as SIFT
/// descriptors of photographs, by local intrinsic dimension and by what 32-byte codes keep, at 100k
/// and at 1M. Spreads are deviations of one dimension in units of a u8 step.
struct SyntheticShape {
  std::uint32_t clusters = 4096;
  std::uint32_t head = 40;               // cluster c has weight 1 / (c + head)
  std::uint32_t global_directions = 48;  // in which cluster centres lie; at most kDictionary
  double global_knee = 16;               // direction j has spread / sqrt(1 + j / knee)
  double global_spread = 4.75;
  std::uint32_t directions = 48;  // of a cluster on average: half of it to one and a half
  double knee = 18;
  double spread = 5;
  double noise = 4;
  std::int32_t mean = 35;
};

/// Immutable once made; thread-safe.
class Synthetic {
 public:
  /// 1 <= dim <= kDimMax. O(clusters * dim) time and memory.
  Synthetic(std::uint32_t dim, std::uint64_t seed, const SyntheticShape& shape = {});

  /// Base vectors and queries are drawn alike from separate streams.
  enum class Stream : std::uint64_t { base = 1, queries = 2 };

  /// Rows [first, first + rows.size() / dim) as whole units in [0, 255]. O(directions * dim) a row.
  void fill(Stream stream, std::uint64_t first, std::span<std::uint8_t> rows) const;
  /// The same rows with their fractions, neither rounded nor clipped.
  void fill(Stream stream, std::uint64_t first, std::span<float> rows) const;

 private:
  struct Cluster {
    std::uint64_t weight_end = 0;           // running sum of weights
    std::vector<std::uint16_t> directions;  // in dictionary_
  };

  void add_cluster(std::uint32_t index);
  void add_noise(math::Rng& rng, std::span<std::int32_t> sums) const;
  /// One row in units of 2^-kFractionBits.
  void row(Stream stream, std::uint64_t index, std::span<std::int32_t> out) const;

  std::uint32_t dim_;
  std::uint64_t seed_;
  SyntheticShape shape_;
  std::vector<std::int16_t> dictionary_;       // kDictionary x dim, every direction of one length
  std::vector<std::int32_t> centers_;          // clusters x dim
  std::vector<std::int32_t> spectrum_;         // scale of each direction of a cluster
  std::vector<std::int32_t> center_spectrum_;  // and of a centre
  std::int32_t noise_scale_;
  std::vector<Cluster> clusters_;
};

}  // namespace cairn::tools
