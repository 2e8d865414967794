// Lloyd's k-means over float rows with deterministic seeding: the partitions of the bulk build, the
// entry lists and the PQ codebooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace cairn::math {

/// Calls body(i) for every i < count, in any order, on any threads, and returns when all have.
using ParallelFor =
    std::function<void(std::size_t count, const std::function<void(std::size_t)>& body)>;

struct KmeansOptions {
  std::uint32_t k = 256;
  std::uint32_t iterations = 10;
  std::uint64_t seed = 1;
  std::span<const float> start = {};  // k x dim centroids to begin with; empty: rows drawn by seed
  ParallelFor parallel = {};          // empty: the calling thread alone; the result is the same
};

/// rows: count x dim, row-major. Returns k x dim centroids. Starts from k distinct rows drawn by
/// seed, or from `start`; empty clusters are moved onto the rows farthest from their centroids
/// (lowest id on ties), one each. Stops early once no row changes cluster. Means are summed in the
/// order of the rows, in double, so that the result does not depend on threads. count >= 1; with
/// count < k centroids repeat. O(iterations * count * k * dim).
std::vector<float> kmeans(std::span<const float> rows, std::uint32_t dim,
                          const KmeansOptions& options);

/// assignment[i] = index of the nearest of the centroids (k x dim), lowest on ties. Compares
/// |c|^2 / 2 - x.c in float: an error of dim * 2^-24 * |x| |c| may decide between near ties, the
/// same way every time. O(count * k * dim).
void assign(std::span<const float> rows, std::uint32_t dim, std::span<const float> centroids,
            std::span<std::uint32_t> assignment);

/// splitmix64: the only source of randomness of the build. Seeded, portable.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), bound >= 1 (Lemire's multiply; bias below 2^-32 for bound < 2^32).
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

 private:
  std::uint64_t state_;
};

}  // namespace cairn::math
