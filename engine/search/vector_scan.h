// A pass over the stored vectors of a snapshot, in the order of disk.
#pragma once

#include <cairn/index.h>

#include <memory>

#include "engine/search/snapshot.h"
#include "io/aligned_buffer.h"

namespace cairn::search {

/// `snapshot` must outlive the scan.
Result<std::unique_ptr<VectorScan>> scan_vectors(const Snapshot& snapshot);

}  // namespace cairn::search
