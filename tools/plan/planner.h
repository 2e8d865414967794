// From what the user states to the rows of the table.
#pragma once

#include <cairn/builder.h>
#include <cairn/result.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/plan/rows.h"

namespace cairn::tools::plan {

struct Request {
  Workload workload;
  BuildOptions build;  // memory, disk, threads and the shape of the index
  std::optional<SampleOptions> sample = {};
  Device device;
  PriceList prices;
};

struct Plan {
  Workload workload;
  std::uint32_t threads = 0;  // of the builds
  BuildPlan build;
  std::optional<Sample> sample = {};
  Device device;
  PriceList prices;
  std::vector<Row> rows;
};

/// With a sample it builds indexes of it, in minutes at most; without, nothing is read or built.
/// Errors of the sample's files and of building; over_limit, naming the smallest, for a build
/// memory that does not suffice.
Result<Plan> make_plan(const Request& request);

}  // namespace cairn::tools::plan
