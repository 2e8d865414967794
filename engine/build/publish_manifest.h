// How a manifest comes to be the one of its folder.
#pragma once

#include <cairn/result.h>

#include <cstddef>
#include <span>
#include <string>

#include "io/fs.h"
#include "layout/manifest.h"

namespace cairn::build {

/// What the manifest is called until it is whole.
inline constexpr char kManifestTemporary[] = "MANIFEST.tmp";

/// Writes and syncs a small file whole, in place of what an interrupted run left under the name.
Status write_file(io::Fs& fs, const std::string& path, std::span<const std::byte> bytes);

/// Checks the manifest, and publishes it by a rename once the names of the files that it speaks of
/// last. The folder is synced after it. Returns what was published, counts and sizes filled in.
/// corrupt, no_space, io.
Result<layout::Manifest> publish_manifest(io::Fs& fs, const std::string& folder,
                                          const layout::Manifest& manifest);

}  // namespace cairn::build
