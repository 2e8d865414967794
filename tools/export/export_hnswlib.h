// An index as a file that hnswlib loads: the way back.
#pragma once

#include <cairn/result.h>
#include <cairn/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace cairn::tools {

struct HnswlibExport {
  std::string output;
  /// Of the elements in the file; unset: u8 for u8 under l2, which hnswlib's space of integers
  /// takes, and f32 for all else.
  std::optional<DType> dtype = {};
  std::uint32_t ef_construction = 200;  // what the file says: it decides on later insertions
  std::uint32_t threads = 0;            // 0: all of the machine
  std::uint64_t seed = 1;               // of the levels
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

struct HnswlibExported {
  std::uint64_t elements = 0, links = 0;  // of level 0
  std::uint32_t degree = 0;               // M
  std::uint32_t level_max = 0;
  DType dtype = DType::f32;
  Metric metric = Metric::l2;
};

/// Level 0 are the edges of the index, levels above are drawn and linked anew: about one element of
/// M is held in memory for them, and a bit a slot. Under cosine vectors are scaled to unit length,
/// as hnswlib's own space has them. Reads the index twice. Errors: of the index; unsupported for a
/// dtype that hnswlib has no space for; of OutputFile.
Result<HnswlibExported> export_hnswlib(const std::string& folder, const HnswlibExport& options);

}  // namespace cairn::tools
