// From a label to its slot through the labels file: the top of its tree in RAM, two page reads.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/search/index_folder.h"
#include "layout/streams.h"

namespace cairn::search {

class LabelLookup {
 public:
  /// Reads the header and the top pages.
  static Result<LabelLookup> open(const IndexFolder& folder, const layout::SegmentRecord& segment,
                                  bool direct);

  /// The slot of `label`, or nothing when the segment does not hold it. At most 2 page reads.
  /// corrupt, io. Thread-safe.
  Result<std::optional<std::uint32_t>> find(Label label) const;

  /// What an open lookup of `vector_count` labels keeps.
  static std::uint64_t ram_bytes(std::uint64_t vector_count);

 private:
  LabelLookup() = default;

  std::unique_ptr<io::ReadFile> file_;
  io::PageFileId id_;
  layout::LabelsPlan plan_;
  std::uint64_t slot_count_ = 0;
  std::vector<std::uint64_t> inner_firsts_;  // the first label of each inner page
};

}  // namespace cairn::search
