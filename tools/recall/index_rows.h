// The vectors of an index as a stream of base rows, for exact search.
#pragma once

#include <cairn/index.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/search/exact.h"

namespace cairn::tools {

/// The index must outlive the stream.
class IndexRows final : public search::RowStream {
 public:
  explicit IndexRows(const Index& index) : index_(index), stats_(index.stats()) {}
  DType dtype() const override { return stats_.dtype; }
  std::uint32_t dim() const override { return stats_.dim; }
  std::uint64_t count() const override { return stats_.vector_count; }
  Result<std::size_t> read(std::span<std::byte> rows) override {
    if (!scan_) CAIRN_TRY(rewind());
    labels_.resize(rows.size() / (std::size_t{stats_.dim} * dtype_bytes(stats_.dtype)));
    return scan_->next(rows, labels_);
  }
  Status rewind() override {
    CAIRN_ASSIGN(scan_, index_.scan());
    return {};
  }

 private:
  const Index& index_;
  IndexStats stats_;
  std::unique_ptr<VectorScan> scan_;
  std::vector<Label> labels_;
};

}  // namespace cairn::tools
