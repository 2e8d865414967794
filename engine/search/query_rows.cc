#include "engine/search/query_rows.h"

#include <cstring>
#include <set>
#include <utility>

#include "engine/math/kmeans.h"

namespace cairn::search {
namespace {

Status take_row(const Snapshot& snapshot, std::uint64_t number, QueryRows& queries) {
  Ref ref;
  while (number >= snapshot.segments()[ref.segment].slot_count)
    number -= snapshot.segments()[ref.segment++].slot_count;
  ref.slot = static_cast<std::uint32_t>(number);
  const Segment& segment = snapshot.segments()[ref.segment];
  const std::uint32_t place = ref.slot % segment.shape.slots;
  CAIRN_ASSIGN(const OwnBlock block, snapshot.read_block(ref.segment, ref.slot));
  if (!block.view.occupied(place)) return {};
  std::byte* row = queries.rows.data() + queries.labels.size() * segment.shape.row_bytes;
  std::memcpy(row, block.view.vector(place), segment.shape.row_bytes);
  queries.labels.push_back(block.view.label(place));
  const QueryLimits& limits = snapshot.limits();
  queries.traced.push_back({.vector = {row, limits.dim, limits.dtype}, .hidden = ref});
  return {};
}

}  // namespace

Result<QueryRows> draw_rows(const Snapshot& snapshot, const std::string& folder,
                            std::uint64_t count, std::uint64_t seed) {
  const IndexStats stats = snapshot.stats();
  QueryRows queries;
  queries.rows.resize(count * stats.dim * dtype_bytes(stats.dtype));
  math::Rng random(seed);
  std::set<std::uint64_t> drawn;
  while (queries.labels.size() < count) {
    if (drawn.size() == stats.slot_count)
      return fail({.code = ErrorCode::corrupt,
                   .what = "vectors in the blocks of the index",
                   .file = folder,
                   .found = std::to_string(queries.labels.size()),
                   .expected = std::to_string(stats.vector_count)});
    const std::uint64_t slot = random.next() % stats.slot_count;
    if (drawn.insert(slot).second) CAIRN_TRY(take_row(snapshot, slot, queries));
  }
  return queries;
}

}  // namespace cairn::search
