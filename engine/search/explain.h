// A search that tells what it does.
#pragma once

#include <cairn/index.h>

#include "engine/search/driver.h"
#include "engine/search/snapshot.h"

namespace cairn::search {

/// See Index::explain; `request` has been checked. Adds its reads to `totals`.
Result<Explanation> explain_search(const Snapshot& snapshot, const SearchRequest& request,
                                   const io::DeviceOptions& device, IoTotals& totals);

}  // namespace cairn::search
