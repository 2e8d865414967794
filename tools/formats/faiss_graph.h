// The links of a FAISS HNSW index, read as they are asked for.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

#include "tools/formats/faiss_file.h"

namespace cairn::formats::faiss {

/// Not thread-safe. Memory: a bit an element and two windows.
class Graph {
 public:
  /// Looks at every level, offset and link. Leaves `in` behind the graph. Errors: corrupt, io.
  static Result<Graph> take(Cursor& in, std::uint64_t elements);

  /// At level 0; 0 only without elements.
  std::uint32_t links_max() const { return links_max_; }
  /// Whether the element has links above level 0.
  bool upper(std::uint64_t element) const { return upper_[static_cast<std::size_t>(element)]; }

  /// As IndexReader::read_links().
  Status read(std::uint64_t first, std::span<std::uint32_t> links);

 private:
  Graph(File file, ReadWindow offsets, ReadWindow links)
      : file_(std::move(file)),
        offsets_window_(std::move(offsets)),
        links_window_(std::move(links)) {}

  Status take_ends(const std::vector<std::int32_t>& ends);
  Status check_levels(const std::vector<std::int32_t>& ends, Region levels);
  Status check_links();
  Status check_link(std::uint32_t link, std::uint64_t at) const;
  Result<std::uint64_t> offset_of(std::uint64_t element);

  File file_;
  ReadWindow offsets_window_, links_window_;
  Region offsets_, links_;
  std::uint64_t elements_ = 0;
  std::uint32_t links_max_ = 0;
  std::vector<bool> upper_;
};

}  // namespace cairn::formats::faiss
