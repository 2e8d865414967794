// Inverted lists of a FAISS IVF index: element by element as they lie in the file, list after list.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "tools/formats/faiss_rows.h"

namespace cairn::formats::faiss {

/// Where the elements of each list lie. Memory: 16 bytes a list that is not empty, each of which
/// takes more in the file.
struct ListTable {
  struct List {
    std::uint64_t first = 0;   // element
    std::uint64_t number = 0;  // of the list
  };
  /// Some of the elements of one list.
  struct Part {
    std::uint64_t list = 0;   // its number
    std::uint64_t codes = 0;  // offset of the first one's
    std::uint64_t ids = 0;    // offset of the first one's
    std::size_t count = 0;
  };

  std::vector<List> lists;     // ascending, those with elements
  std::uint64_t elements = 0;  // of all lists
  std::uint64_t offset = 0;    // of the first list: for each one its codes, then its ids
  std::size_t code_bytes = 0;

  /// The longest part that starts with `element`, of at most `count` elements.
  Part part(std::uint64_t element, std::size_t count) const;
};

/// What an index says its lists must be.
struct ListShape {
  std::uint64_t lists = 0;
  std::size_t code_bytes = 0;
  std::uint64_t elements_max = 0;  // FAISS counts what no list took (NaN) too
};

/// Lists in the file itself: `ilar` with sizes `full` or `sprs`. Leaves `in` behind them. Errors:
/// unsupported (lists in another file, or none), corrupt.
Result<ListTable> take_lists(Cursor& in, const ListShape& shape);

/// With `centroids`, codes are of what is left of a vector when its list's centroid is taken off.
Result<std::unique_ptr<Rows>> rows_of_lists(const File& file,
                                            std::shared_ptr<const ListTable> table,
                                            std::unique_ptr<Codec> codec, std::uint32_t dim,
                                            std::unique_ptr<Rows> centroids);

/// Looks at all ids: a negative one is corrupt.
Result<std::unique_ptr<Labels>> labels_of_lists(const File& file,
                                                std::shared_ptr<const ListTable> table);

}  // namespace cairn::formats::faiss
