// From a source of vectors to a written index: every step of a build but the folder's. The one path
// for any number of vectors: a small set is one partition.
#pragma once

#include <cairn/builder.h>

#include <cstdint>
#include <string>

#include "engine/build/journal.h"
#include "engine/build/phases.h"
#include "io/fs.h"

namespace cairn::build {

/// Builds the index of `source` (at least one row) in the work folder `folder`, going on with what
/// `journal` has, and reads it back. What is left there is the index and the journal. Fills
/// `report`. `options` are checked, threads and memory set.
Status build_in(VectorSource& source, const BuildOptions& options, io::Fs& fs, Journal& journal,
                const std::string& folder, Phases& phases, BuildReport& report);

}  // namespace cairn::build
