// The workloads of the campaign of faults that build: from a source, by batches, from another
// library's index, going on with what was begun; and the reading of files of vectors.
#pragma once

#include <cairn/builder.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/reliability/fault_workloads.h"

namespace cairn::reliability {

/// Contents by name, but of locks, and of what a builder leaves between its last rename and its
/// end.
std::map<std::string, std::string> files_of(const std::string& folder);

/// What they build with.
BuildOptions calibrated_build();

void add_builds(const std::string& scratch, std::vector<std::unique_ptr<Workload>>& all);

}  // namespace cairn::reliability
