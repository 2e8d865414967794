// The first pass over the input: every row is checked, digests are taken, and a sample is drawn
// that trains partitions and codes.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/pipnn.h"
#include "engine/workers.h"

namespace cairn::build {

/// Rows that one digest covers, and the unit of reading: at most 8 MiB.
std::uint64_t digest_rows(std::size_t row_bytes);

struct SampleOptions {
  Metric metric = Metric::l2;
  std::uint64_t seed = 1;
};

struct Sample {
  std::vector<std::uint64_t> digests;  // of each digest_rows() rows, labels included
  double squared_norm_max = 0;
  std::vector<std::byte> rows;  // raw, ascending by row
  std::uint64_t count = 0;
};

/// Rows that a sample of `count` has at most, 65,536 or 128 MiB of floats.
std::uint64_t sample_rows(std::uint64_t count, std::uint32_t dim);

/// Reads everything once. invalid_argument names the row that a metric cannot take; errors of the
/// source; cancelled.
Result<Sample> take_sample(VectorSource& source, const SampleOptions& options,
                           const Workers& workers, const Tick& tick);

/// Reads rows [first, first + rows.size() / row bytes) and compares them with what take_sample saw:
/// already_exists when they are others. `first` is a multiple of digest_rows().
Status read_again(VectorSource& source, std::uint64_t first, std::span<const std::uint64_t> digests,
                  std::span<std::byte> rows, std::span<Label> labels, const Workers& workers);

}  // namespace cairn::build
