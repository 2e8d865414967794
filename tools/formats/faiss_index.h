// The tree of a FAISS index file: indexes that wrap others (id map, transforms, graph) down to the
// one that holds vectors or codes.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tools/formats/faiss_graph.h"
#include "tools/formats/faiss_rows.h"

namespace cairn::formats::faiss {

/// In front of every index.
struct Header {
  std::uint32_t dim = 0;
  std::uint64_t count = 0;  // what FAISS calls ntotal: of an IVF at least its elements
  Metric metric = Metric::l2;
  bool trained = false;
};

struct Index {
  FourCC kind = 0;
  Header header;
  std::string name;              // for people: "IndexHNSWFlat, M 32"
  std::uint64_t elements = 0;    // in the order of the file
  std::optional<Metric> metric;  // of the vectors that `rows` gives; unset: none of ours
  std::string decoded_from;      // as IndexFacts has it
  std::unique_ptr<Rows> rows;
  std::unique_ptr<Labels> labels;  // null: an element's label is its number
  std::optional<Graph> graph;
};

/// Reads the index at the cursor and leaves it behind. `depth`: how many indexes are around it.
/// Errors: unsupported (another kind, metric or part), corrupt, io.
Result<Index> take_index(Cursor& in, int depth);

}  // namespace cairn::formats::faiss
