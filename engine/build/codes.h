// The codes of an index: base and refinement, trained on a sample.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/build/workers.h"
#include "engine/math/pq.h"

namespace cairn::build {

struct CodeOptions {
  Metric metric = Metric::l2;
  std::uint32_t code_bytes = 32;    // 1..dim
  std::uint32_t refine_bytes = 32;  // 0..dim
  std::uint64_t seed = 1;
};

struct Codebooks {
  math::Codebook base;
  std::optional<math::Codebook> refine;  // of what the base leaves over
};

/// `sample`: raw rows, at least one. About 8 bytes an element of RAM.
Codebooks train_codes(const VectorBatch& sample, const CodeOptions& options,
                      const Workers& workers);

/// Codes of raw rows: count * base.shape.m and count * refine.shape.m bytes. O(count * 256 * dim).
struct Encoded {
  std::vector<std::byte> base, refine;
};
Encoded encode_rows(const Codebooks& books, Metric metric, const VectorBatch& raw,
                    const Workers& workers);

}  // namespace cairn::build
