// Index::examine.
#pragma once

#include <cairn/examine.h>

#include "engine/search/snapshot.h"

namespace cairn::search {

/// See <cairn/examine.h>.
Result<Examination> examine_index(const Snapshot& snapshot, bool direct,
                                  const ExamineOptions& options);

}  // namespace cairn::search
