// The threads behind Index::start_async.
#pragma once

#include <cairn/index.h>

#include <memory>

#include "engine/search/context_pool.h"

namespace cairn::search {

/// `pool` and its `snapshot` must outlive the engine. invalid_argument, or why a driver or a thread
/// could not be had.
Result<std::unique_ptr<AsyncEngine>> start_async_engine(ContextPool& pool, const Snapshot& snapshot,
                                                        const Index::AsyncOptions& options);

}  // namespace cairn::search
