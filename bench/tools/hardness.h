// How hard a set of vectors is to search, in two figures that are compared with those of real
// descriptors: local intrinsic dimension, and what short codes keep of the true neighbours.
#pragma once

#include <cairn/types.h>

#include <cstdint>

namespace cairn::bench {

struct Hardness {
  /// Maximum-likelihood estimate at k = 100 over the queries (Levina and Bickel, Maximum likelihood
  /// estimation of intrinsic dimension, NIPS 2004; Amsaleg et al., KDD 2015), neighbours at
  /// distance 0 left out.
  double lid_p10 = 0, lid_median = 0, lid_p90 = 0;
  /// Share of the 10 true nearest (l2) among the 20 nearest by 32-byte product quantisation
  /// (trained on 50,000 base vectors, 10 iterations).
  double held_by_codes = 0;
  double zeros = 0;       // share of elements that are 0
  double duplicates = 0;  // share of queries with a base vector at distance 0
};

/// Exhaustive. base.count >= 101; equal dim and dtype. O(queries * count * dim / threads).
Hardness measure_hardness(const VectorBatch& base, const VectorBatch& queries,
                          std::uint32_t threads);

}  // namespace cairn::bench
