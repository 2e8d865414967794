// Vectors in memory as a base for exact search.
#pragma once

#include "engine/search/exact.h"

namespace cairn::search {

/// Vectors in memory, not owned, as a RowStream.
class MemoryRows final : public RowStream {
 public:
  explicit MemoryRows(const VectorBatch& batch) : batch_(batch) {}
  DType dtype() const override { return batch_.dtype; }
  std::uint32_t dim() const override { return batch_.dim; }
  std::uint64_t count() const override { return batch_.count; }
  Result<std::size_t> read(std::span<std::byte> rows) override;
  Status rewind() override {
    next_ = 0;
    return {};
  }

 private:
  VectorBatch batch_;
  std::uint64_t next_ = 0;
};

}  // namespace cairn::search
