// Vectors of an index as queries on it: drawn by lot, and all of them as the base that is searched
// exhaustively.
#pragma once

#include <cairn/result.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/search/exact.h"
#include "engine/search/snapshot.h"
#include "engine/search/trace.h"
#include "engine/search/vector_scan.h"

namespace cairn::search {

/// At most one row in so many becomes a query: there must be others to find.
inline constexpr std::uint64_t kVectorsARow = 8;

/// Queries, and where they are hidden when they are rows of the index.
struct QueryRows {
  std::vector<std::byte> rows;
  std::vector<TracedQuery> traced;  // of `rows`, or of vectors of another owner
  std::vector<Label> labels;        // of hidden rows; else empty
};

/// `count` random slots, each once, that hold a vector; `folder` is for errors. corrupt when there
/// are not so many; io. One block read a slot.
Result<QueryRows> draw_rows(const Snapshot& snapshot, const std::string& folder,
                            std::uint64_t count, std::uint64_t seed);

/// All vectors of a snapshot, in the order of disk; notes where those of some labels came.
class SnapshotRows final : public RowStream {
 public:
  explicit SnapshotRows(const Snapshot& snapshot, std::span<const Label> labels = {})
      : snapshot_(snapshot) {
    for (const Label label : labels) positions_[label] = 0;
  }
  DType dtype() const override { return snapshot_.limits().dtype; }
  std::uint32_t dim() const override { return snapshot_.limits().dim; }
  std::uint64_t count() const override { return snapshot_.stats().vector_count; }
  Result<std::size_t> read(std::span<std::byte> rows) override {
    labels_.resize(rows.size() / (std::size_t{dim()} * dtype_bytes(dtype())));
    CAIRN_ASSIGN(const std::size_t count, scan_->next(rows, labels_));
    for (std::size_t i = 0; i < count && !positions_.empty(); ++i)
      if (const auto noted = positions_.find(labels_[i]); noted != positions_.end())
        noted->second = static_cast<std::uint32_t>(next_ + i);
    next_ += count;
    return count;
  }
  Status rewind() override {
    CAIRN_ASSIGN(scan_, scan_vectors(snapshot_));
    next_ = 0;
    return {};
  }
  std::uint32_t position(Label label) const { return positions_.at(label); }

 private:
  const Snapshot& snapshot_;
  std::unique_ptr<VectorScan> scan_;
  std::vector<Label> labels_;
  std::map<Label, std::uint32_t> positions_;
  std::uint64_t next_ = 0;
};

}  // namespace cairn::search
