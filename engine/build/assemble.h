// From a data set to a written index: every step of a build but the folder's.
#pragma once

#include <cairn/builder.h>

#include <cstdint>
#include <string>

#include "engine/build/dataset.h"
#include "engine/build/phases.h"
#include "engine/build/workers.h"
#include "io/fs.h"

namespace cairn::build {

/// Raised by each change of the builder that makes other bytes of the same input: the index is then
/// another one, and its name says so.
inline constexpr std::uint32_t kBuilderVersion = 1;

/// Builds the index of `data` (at least one row) into the empty folder `folder` and reads it back.
/// Fills `report`. `options` are checked, threads set.
Status assemble(Dataset& data, const BuildOptions& options, io::Fs& fs, const std::string& folder,
                Phases& phases, BuildReport& report);

}  // namespace cairn::build
