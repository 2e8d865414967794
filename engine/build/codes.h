// The codes of an index: base and refinement, trained on a sample and written in slot order.
#pragma once

#include <cairn/types.h>

#include <cstdint>
#include <optional>
#include <span>

#include "engine/build/pipnn.h"
#include "engine/build/workers.h"
#include "engine/build/write_index.h"

namespace cairn::build {

struct CodeOptions {
  Metric metric = Metric::l2;
  std::uint32_t code_bytes = 32;    // 1..dim
  std::uint32_t refine_bytes = 32;  // 0..dim
  std::uint64_t seed = 1;
};

struct Codes {
  CodeTable base;
  std::optional<CodeTable> refine;
};

/// `training`: rows of `raw` to draw the sample from (at most 65,536, 256 MiB of floats).
/// codes[s] is of row node_of_slot[s]. Empty when cancelled.
std::optional<Codes> make_codes(const VectorBatch& raw, std::span<const std::uint32_t> training,
                                std::span<const std::uint32_t> node_of_slot,
                                const CodeOptions& options, const Workers& workers,
                                const Tick& tick);

}  // namespace cairn::build
