// Whether an index was made of what another library's index holds.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <string>

#include "tools/formats/index_reader.h"

namespace cairn::tools {

struct SameVectors {
  std::uint64_t looked_at = 0;  // elements, evenly over the file, deleted ones left out
  std::uint64_t found = 0;      // whose label the index has
  std::uint64_t equal = 0;      // and the very vector under it
};

/// Looks at `elements_max` elements. invalid_argument where none of their labels is in the index:
/// it was made of something else; nor where less than half of the vectors are equal. Errors of
/// both. `path`: of the file.
Result<SameVectors> look_for_same(const Index& index, formats::IndexReader& reader,
                                  const std::string& path, std::uint64_t elements_max);

}  // namespace cairn::tools
