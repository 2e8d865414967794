// The builder over a file system of choice; Builder::create takes the operating system's.
#pragma once

#include <cairn/builder.h>

#include <memory>
#include <string>

#include "engine/build/spool.h"
#include "io/fs.h"

namespace cairn::build {

/// As Builder::create, with other bytes that a crash may take than kSpoolSyncBytes. `fs` must
/// outlive the builder.
Result<std::unique_ptr<Builder>> create_builder(io::Fs& fs, const std::string& folder,
                                                std::uint32_t dim, DType dtype,
                                                const BuildOptions& options,
                                                std::uint64_t spool_sync_bytes = kSpoolSyncBytes);

/// As cairn::build_index, over a file system of choice.
Result<BuildReport> build_index(io::Fs& fs, const std::string& folder, VectorSource& source,
                                const BuildOptions& options);

/// As cairn::plan_build, over a file system of choice. Without `trial` nothing is built: sizes come
/// from what was measured on other vectors, and times are 0.
Result<BuildPlan> plan_build(io::Fs& fs, const std::string& folder, VectorSource& source,
                             const BuildOptions& options, std::uint64_t vectors, bool trial);

}  // namespace cairn::build
