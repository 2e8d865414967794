#include "engine/search/drift.h"

#include <cmath>
#include <cstddef>

#include "engine/search/memory_rows.h"
#include "engine/search/row_floats.h"

namespace cairn::search {
namespace {

constexpr std::size_t kHeadsMax = 2048;

VectorBatch batch_of(const std::vector<float>& floats, std::uint32_t dim) {
  return {floats.data(), floats.size() / dim, dim, DType::f32};
}

}  // namespace

/// As floats; of unit length where directions matter, but for a row of zeros.
void EntryHeads::append(VectorView row, std::vector<float>& floats) const {
  const std::size_t at = floats.size();
  floats.resize(at + dim_);
  const auto added = std::span(floats).subspan(at);
  to_floats(row, added);
  if (metric_ == Metric::l2) return;
  double squares = 0;
  for (const float x : added) squares += double{x} * double{x};
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (float& x : added) x = static_cast<float>(double{x} * scale);
}

Result<EntryHeads> EntryHeads::read(const Snapshot& snapshot) {
  const QueryLimits& limits = snapshot.limits();
  EntryHeads read(limits.metric, limits.dim);
  std::size_t all = 0;
  for (const Segment& segment : snapshot.segments()) all += segment.entries->heads.size();
  const std::size_t stride = (all + kHeadsMax - 1) / kHeadsMax;
  for (std::uint32_t s = 0; s < snapshot.segments().size(); ++s) {
    const Segment& segment = snapshot.segments()[s];
    for (std::size_t i = 0; i < segment.entries->heads.size(); i += stride) {
      const std::uint32_t slot = segment.entries->heads[i];
      const std::uint32_t place = slot % segment.shape.slots;
      CAIRN_ASSIGN(const OwnBlock block, snapshot.read_block(s, slot));
      if (!block.view.occupied(place)) continue;
      read.append({block.view.vector(place), limits.dim, limits.dtype}, read.heads_);
    }
  }
  return read;
}

Result<std::vector<float>> EntryHeads::distances(std::span<const TracedQuery> queries,
                                                 std::uint32_t threads) const {
  if (heads_.empty() || queries.empty()) return std::vector<float>();
  std::vector<float> floats;
  floats.reserve(queries.size() * dim_);
  for (const TracedQuery& query : queries) append(query.vector, floats);
  MemoryRows heads(batch_of(heads_, dim_));
  ExactOptions options;
  options.metric = Metric::l2;
  options.k = 1;
  options.threads = threads;
  CAIRN_ASSIGN(ExactNeighbors nearest, exact_neighbors(heads, batch_of(floats, dim_), options));
  for (float& distance : nearest.distances) distance = std::sqrt(distance);
  return std::move(nearest.distances);
}

}  // namespace cairn::search
