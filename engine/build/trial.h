// A build of a few thousand vectors in the place where a large one will stand, for its times: every
// phase, its kernels and its files are measured by what will use them.
#pragma once

#include <cairn/builder.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/build/cell_files.h"
#include "io/fs.h"

namespace cairn::build {

struct Trial {
  struct Times {
    double work_s = 0;   // wall time without the waits for the disk
    double syncs_s = 0;  // those waits: they go with files, not with vectors
    double core_s = 0;
  };
  BuildReport report;
  std::map<std::string, Times, std::less<>> phases;
  std::vector<LinkedCell> cells;

  const Times& phase(std::string_view name) const { return phases.find(name)->second; }
};

/// A trial of `run` on so many cores. What disturbs a machine for a second would be multiplied:
/// when linking, which keeps its threads busy, did not keep them so, there is one more, and the
/// lesser time of each phase counts. Where the machine is always that busy both are alike. Errors
/// of `run`.
Result<Trial> undisturbed(std::uint32_t cores, const std::function<Result<Trial>()>& run);

/// Builds all of `source` beside `target` and removes what it built; once more when it was
/// disturbed. `progress` may be empty. Errors as of a build.
Result<Trial> run_trial(io::Fs& fs, const std::string& target, VectorSource& source,
                        const BuildOptions& options);

}  // namespace cairn::build
