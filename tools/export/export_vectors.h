// The vectors of an index as a file that anything reads.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <functional>
#include <string>

namespace cairn::tools {

struct VectorExport {
  std::string output;  // its extension is the format
  std::string labels;  // file of labels in the order of the rows; "": none
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;  // for vectors on their way
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

struct VectorExported {
  std::uint64_t vectors = 0;
  bool labels_are_rows = true;  // 0, 1, 2, ...: the file alone says them
  std::uint32_t passes = 0;     // over the index
};

/// Rows ascending by label. Memory: 8 bytes a vector beside `memory_bytes`; reads the index once,
/// and once for each `memory_bytes` of vectors.
Result<VectorExported> export_vectors(const Index& index, const VectorExport& options);

}  // namespace cairn::tools
