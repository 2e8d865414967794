// What the verbs that build an index share: their options, and the build with what it shows.
#pragma once

#include <cairn/builder.h>
#include <cairn/vector_source.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli.h"

namespace cairn::tools {

struct BuildCommand {
  std::string index, calibration;
  std::string progress;  // "" when not given
  BuildOptions build;
  std::uint64_t vectors = 0;  // of a dry run
  bool quiet = false, json = false, dry_run = false;
};

/// --index and --calibration
void declare_index(CLI::App& command, BuildCommand& options);
/// What the index will be, but for the metric; --degree goes to `degree`.
void declare_shape(CLI::App& command, BuildOptions& build, std::optional<std::uint32_t>& degree);
/// Memory, disk, threads, progress, dry run, --json, --quiet.
void declare_work(CLI::App& command, BuildCommand& options);

/// What is built.
struct BuildInput {
  VectorSource& source;
  std::vector<std::string> notes = {};  // said first, unless quiet
  nlohmann::ordered_json extra = {};    // an object that joins the report of --json
};

/// Builds or plans, and prints the plan or the report.
Status run_build_command(BuildCommand& options, const BuildInput& input);

}  // namespace cairn::tools
