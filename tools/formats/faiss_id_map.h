// The id map around a FAISS index.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>

#include "tools/formats/faiss_rows.h"

namespace cairn::formats::faiss {

/// `ids`: i64. Element i has the i-th, or, with `numbers`, that of the number which stands there.
/// Looks at all of both: a negative id is unsupported, since -1 is what FAISS gives where it found
/// nothing; a number without an id is corrupt.
///
/// Numbers of lists jump about in the map. They are taken a million at a time and sorted, so that
/// each million passes over the map once. Memory: 12 MiB with `numbers`.
Result<std::unique_ptr<Labels>> labels_of_map(const File& file, Region ids,
                                              std::unique_ptr<Labels> numbers,
                                              std::uint64_t elements);

}  // namespace cairn::formats::faiss
