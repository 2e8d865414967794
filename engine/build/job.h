// What every step of one build shares.
#pragma once

#include <cairn/builder.h>

#include <cstdint>
#include <string>

#include "engine/build/carve.h"
#include "engine/build/journal.h"
#include "engine/build/phases.h"
#include "engine/build/pipnn.h"
#include "engine/build/space.h"
#include "engine/build/temp_files.h"
#include "engine/workers.h"

namespace cairn::build {

/// Streams of random numbers, one a purpose.
enum class Stream : std::uint64_t { adjacency = 101, entries, codes, cells, sample, calibration };

struct Job {
  TempFiles temp;
  Journal& journal;
  const BuildOptions& options;  // checked; threads set, codes no longer than the dimension
  Space space;
  std::uint64_t count = 0;  // rows of the input
  bool labelled = false;
  std::uint32_t kept_edges = 0;  // of a row at most, of a graph that is kept; 0: one is built
  Workers workers;
  Workers link_workers;  // as many as may link at once
  Tick tick;

  std::uint64_t seed(Stream stream, std::uint64_t unit = 0) const {
    return mix_seed(mix_seed(options.seed, static_cast<std::uint64_t>(stream)), unit);
  }
  GraphOptions graph_options(std::uint64_t unit) const {
    return {.degree = options.degree, .alpha = options.alpha, .seed = mix_seed(options.seed, unit)};
  }
  /// `cancelled` once the caller of the build wants it.
  Status report(const char* phase, std::uint64_t done, std::uint64_t total) const {
    if (!tick || tick(phase, done, total)) return {};
    return cancelled();
  }
  static tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::cancelled, "the build was cancelled");
  }
};

}  // namespace cairn::build
