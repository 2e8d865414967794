// The codes of an index: base and layers of refinement, trained on a sample.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/math/pq.h"
#include "engine/workers.h"

namespace cairn::build {

/// Of an index whose user says none, bytes a vector, 0..dim. See DESIGN.md, Codes in layers.
std::uint32_t default_refine_bytes(std::uint32_t dim);
/// How a refinement of `refine_bytes` (0..dim) is cut into layers, bytes each, for an index of
/// `vectors`: of about 8 bytes, as many as codebooks are worth in RAM; from 64 bytes on what is
/// beyond 32 is a layer of its own. See DESIGN.md, Codes in layers.
std::vector<std::uint32_t> refinement_layers(std::uint32_t refine_bytes, std::uint32_t dim,
                                             std::uint64_t vectors);

struct CodeOptions {
  Metric metric = Metric::l2;
  std::uint32_t code_bytes = 32;           // 1..dim
  std::vector<std::uint32_t> layers = {};  // of refinement: 1..dim each
  std::uint64_t seed = 1;
};

struct Codebooks {
  math::Codebook base;
  std::vector<math::Codebook> layers;  // each of what those before it leave over

  std::uint32_t refine_bytes() const {
    std::uint32_t bytes = 0;
    for (const math::Codebook& layer : layers) bytes += layer.shape.m;
    return bytes;
  }
};

/// `sample`: raw rows, at least one. About 8 bytes an element of RAM.
Codebooks train_codes(const VectorBatch& sample, const CodeOptions& options,
                      const Workers& workers);

/// Codes of raw rows: count * m bytes of each codebook. O(count * 256 * dim * codebooks).
struct Encoded {
  std::vector<std::byte> base;
  std::vector<std::vector<std::byte>> layers;
};
Encoded encode_rows(const Codebooks& books, Metric metric, const VectorBatch& raw,
                    const Workers& workers);

}  // namespace cairn::build
