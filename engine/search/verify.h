// The whole-index check behind Index::verify. It reads everything from disk again and trusts
// nothing that is in RAM.
#pragma once

#include <cairn/index.h>

#include "engine/search/index_folder.h"

namespace cairn::search {

/// What is wrong becomes a problem of the report; an error is a failure to go on (memory).
/// O(index); one pass over every file and the passes of the walk over blocks; about 1 byte of RAM a
/// slot and a few MiB.
Result<VerifyReport> verify_folder(const IndexFolder& folder, bool direct,
                                   const VerifyOptions& options);

}  // namespace cairn::search
