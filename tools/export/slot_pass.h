// The blocks of an index folder, one after the other in the order of slots.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/search/index_folder.h"
#include "layout/node_block.h"

namespace cairn::tools {

/// Pins the folder's manifest.
class SlotPass {
 public:
  /// `unsupported` unless the index is one segment whose blocks stand in the order of their slots,
  /// as every build leaves it; errors of IndexFolder::open.
  static Result<SlotPass> open(const std::string& folder);

  const layout::Manifest& manifest() const { return folder_.manifest(); }
  const layout::SegmentRecord& segment() const { return manifest().segments.front(); }
  const layout::BlockShape& shape() const { return shape_; }

  /// Calls `visit` with every slot that holds a vector, ascending. 1 MiB of memory.
  using Visit = std::function<Status(std::uint32_t slot, const layout::BlockView& block,
                                     std::uint32_t place)>;
  Status run(const Visit& visit) const;

 private:
  SlotPass(search::IndexFolder folder, const layout::BlockShape& shape)
      : folder_(std::move(folder)), shape_(shape) {}

  search::IndexFolder folder_;
  layout::BlockShape shape_;
};

}  // namespace cairn::tools
