#include "engine/build/repair.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "engine/build/candidate_rows.h"
#include "engine/build/pack.h"
#include "engine/build/walk.h"
#include "engine/math/distance.h"

namespace cairn::build {
namespace {

constexpr std::uint32_t kPassesMax = 64;
// A bound on what one more edge adds: its own integer, and a longer one for the edge behind it.
constexpr std::uint64_t kEdgeBytesMax = 5 + 5;

/// Attaches slots of one cell.
class CellRepair {
 public:
  CellRepair(PinnedLists& lists, const layout::BlockShape& shape, const layout::Entries& entries,
             Pins& pins, Walk& walk, const CellVectors& vectors)
      : lists_(lists),
        shape_(shape),
        entries_(entries),
        pins_(pins),
        walk_(walk),
        vectors_(vectors),
        row_(lists.lists().shape().degree_max),
        l2_(math::l2_kernel(vectors.vectors.dtype)) {}

  Status attach(std::uint32_t slot) {
    CAIRN_ASSIGN(bool done, attach_near(slot));
    if (!done) {
      CAIRN_ASSIGN(done, attach_to_entry(slot));
    }
    if (!done) {
      CAIRN_ASSIGN(done, attach_anywhere(slot));
    }
    if (done) return {};
    return fail({.code = ErrorCode::over_limit,
                 .what = "repair of the graph",
                 .found = "no room for an edge to slot " + std::to_string(slot),
                 .expected = "a higher degree"});
  }

 private:
  bool here(std::uint32_t slot) const {
    return slot >= vectors_.first_slot && slot - vectors_.first_slot < vectors_.slot_row.size();
  }
  Status append_row(std::uint32_t slot, std::vector<std::uint32_t>& out) {
    CAIRN_ASSIGN(const ListChunk* chunk, lists_.chunk(lists_.lists().chunk_of(slot)));
    const std::uint32_t degree =
        chunk->row(static_cast<std::uint32_t>(slot - chunk->first_slot()), row_.data());
    for (std::uint32_t e = 0; e < degree; ++e)
      if (here(row_[e])) out.push_back(row_[e]);
    return {};
  }

  Result<bool> attach_near(std::uint32_t slot) {
    std::vector<std::uint32_t> near;
    CAIRN_TRY(append_row(slot, near));
    const std::vector<std::uint32_t> direct = near;
    for (const std::uint32_t neighbour : direct) CAIRN_TRY(append_row(neighbour, near));
    std::sort(near.begin(), near.end());
    near.erase(std::unique(near.begin(), near.end()), near.end());
    return pin_nearest(near, slot);
  }

  Result<bool> attach_to_entry(std::uint32_t slot) {
    std::vector<std::uint32_t> entries;
    std::copy_if(entries_.slots.begin(), entries_.slots.end(), std::back_inserter(entries),
                 [&](std::uint32_t entry) { return here(entry); });
    return pin_nearest(entries, slot);
  }

  /// Slots near each other hold vectors near each other, those of neighbouring cells too: a cell
  /// may hold a single vector.
  Result<bool> attach_anywhere(std::uint32_t slot) {
    for (std::uint64_t away = 1; away < walk_.slots(); ++away)
      for (const std::uint64_t from : {slot - away, slot + away}) {
        if (from >= walk_.slots()) continue;  // wraps far off when before the first
        CAIRN_ASSIGN(const bool pinned, try_pin(static_cast<std::uint32_t>(from), slot));
        if (pinned) return true;
      }
    return false;
  }

  Result<bool> pin_nearest(std::span<const std::uint32_t> from, std::uint32_t slot) {
    std::vector<Candidate> candidates;
    for (const std::uint32_t f : from)
      if (f != slot && walk_.reached(f)) candidates.push_back({distance(f, slot), f});
    std::sort(candidates.begin(), candidates.end());
    for (const Candidate& candidate : candidates) {
      CAIRN_ASSIGN(const bool pinned, try_pin(candidate.id, slot));
      if (pinned) return true;
    }
    return false;
  }

  Result<bool> try_pin(std::uint32_t from, std::uint32_t to) {
    if (from == to || !walk_.reached(from)) return false;
    const std::uint32_t number = lists_.lists().chunk_of(from);
    CAIRN_ASSIGN(const ListChunk* chunk, lists_.chunk(number));
    const auto i = static_cast<std::uint32_t>(from - chunk->first_slot());
    const std::uint32_t first = i - i % shape_.slots;
    Graph block = chunk->rows(first, std::min(shape_.slots, chunk->count() - first));
    if (block.pinned[i - first] == block.degree_max) return false;
    if (pinned_bytes(block, shape_, 0) + kEdgeBytesMax > shape_.adjacency_capacity()) return false;
    pins_.add(from, to);
    lists_.patch(number, first, with_edge(std::move(block), i - first, to));
    return true;
  }

  Graph with_edge(Graph block, std::uint32_t place, std::uint32_t to) const {
    block.pin_edge(place, to);
    fit_block(block, shape_, 0);
    return block;
  }

  float distance(std::uint32_t a, std::uint32_t b) const {
    const auto row = [&](std::uint32_t slot) {
      return vectors_.vectors.row(vectors_.slot_row[slot - vectors_.first_slot]).data;
    };
    return l2_(row(a), row(b), vectors_.vectors.dim);
  }

  PinnedLists& lists_;
  const layout::BlockShape& shape_;
  const layout::Entries& entries_;
  Pins& pins_;
  Walk& walk_;
  const CellVectors& vectors_;
  std::vector<std::uint32_t> row_;
  math::PairKernel l2_;
};

class Repairer {
 public:
  Repairer(const ListStore& lists, const SlotPlan& plan, const layout::BlockShape& shape,
           const layout::Entries& entries, const WithVectors& with_vectors, const Tick& tick)
      : lists_(lists),
        plan_(plan),
        shape_(shape),
        entries_(entries),
        with_vectors_(with_vectors),
        tick_(tick) {}

  Result<RepairReport> run() {
    for (report_.passes = 1; report_.passes <= kPassesMax; ++report_.passes) {
      const std::uint64_t before = report_.pins.count();
      CAIRN_TRY(pass());
      if (report_.pins.count() == before) {
        CAIRN_TRY(count_dropped());
        return std::move(report_);
      }
    }
    return fail({.code = ErrorCode::over_limit,
                 .what = "repair of the graph",
                 .found = "slots still cut off after " + std::to_string(kPassesMax) + " passes",
                 .expected = "a higher degree"});
  }

 private:
  Status pass() {
    PinnedLists pinned(lists_, shape_, report_.pins);
    Walk walk(pinned, plan_.total());
    for (const auto* slots : {&entries_.heads, &entries_.slots})
      for (const std::uint32_t slot : *slots) walk.reach(slot);
    CAIRN_TRY(walk.run(tick_));
    // Reachability first: it makes the in-edges of most, and parents for the rest.
    CAIRN_TRY(attach_all(pinned, walk, [&](std::uint32_t s) { return walk.reached(s); }));
    if (vectors() == 1) return {};
    return attach_all(pinned, walk, [&](std::uint32_t s) { return walk.has_in_edge(s); });
  }

  std::uint64_t vectors() const {
    std::uint64_t sum = 0;
    for (std::uint32_t cell = 0; cell < plan_.cells(); ++cell) sum += plan_.slots(cell);
    return sum;
  }

  /// Attaches every slot that is not `good`.
  template <class Good>
  Status attach_all(PinnedLists& pinned, Walk& walk, const Good& good) {
    for (std::uint32_t cell = 0; cell < plan_.cells(); ++cell) {
      const auto first = static_cast<std::uint32_t>(plan_.begin(cell));
      const auto end = static_cast<std::uint32_t>(first + plan_.slots(cell));
      std::uint32_t slot = first;
      while (slot < end && good(slot)) ++slot;
      if (slot == end) continue;
      CAIRN_TRY(with_vectors_(cell, [&](const CellVectors& vectors) -> Status {
        CellRepair repair(pinned, shape_, entries_, report_.pins, walk, vectors);
        for (; slot < end; ++slot) {
          if (good(slot)) continue;
          CAIRN_TRY(repair.attach(slot));
          walk.set_in_edge(slot);
          walk.reach(slot);
          CAIRN_TRY(walk.run({}));
          if (tick_ && !tick_("repair", slot, plan_.total()))
            return fail(ErrorCode::cancelled, "the build was cancelled");
        }
        return {};
      }));
    }
    return {};
  }

  Status count_dropped() {
    std::set<std::uint32_t> chunks;
    for (const std::uint32_t from : report_.pins.sources()) chunks.insert(lists_.chunk_of(from));
    for (const std::uint32_t number : chunks) {
      CAIRN_ASSIGN(ListChunk chunk, lists_.read(number));
      report_.dropped += report_.pins.apply(shape_, chunk);
    }
    return {};
  }

  const ListStore& lists_;
  const SlotPlan& plan_;
  const layout::BlockShape& shape_;
  const layout::Entries& entries_;
  const WithVectors& with_vectors_;
  const Tick& tick_;
  RepairReport report_;
};

}  // namespace

std::uint64_t Pins::apply(const layout::BlockShape& shape, ListChunk& chunk) const {
  std::uint64_t dropped = 0;
  auto pin = pins_.lower_bound(static_cast<std::uint32_t>(chunk.first_slot()));
  while (pin != pins_.end() && pin->first - chunk.first_slot() < chunk.count()) {
    const auto i = static_cast<std::uint32_t>(pin->first - chunk.first_slot());
    const std::uint32_t first = i - i % shape.slots;
    const std::uint32_t count = std::min(shape.slots, chunk.count() - first);
    Graph block = chunk.rows(first, count);
    std::uint64_t edges = 0;
    for (std::uint32_t p = 0; p < count; ++p) edges += block.degree[p];
    for (; pin != pins_.end() && pin->first - chunk.first_slot() < first + count; ++pin) {
      for (const std::uint32_t to : pin->second)
        block.pin_edge(pin->first - chunk.first_slot() - first, to);
      edges += pin->second.size();
    }
    fit_block(block, shape, 0);
    for (std::uint32_t p = 0; p < count; ++p) edges -= block.degree[p];
    dropped += edges;
    chunk.replace(first, block);
  }
  return dropped;
}

std::vector<std::uint32_t> Pins::sources() const {
  std::vector<std::uint32_t> sources;
  for (const auto& [from, targets] : pins_) sources.push_back(from);
  return sources;
}

std::vector<std::uint64_t> Pins::words() const {
  std::vector<std::uint64_t> words;
  for (const auto& [from, targets] : pins_)
    for (const std::uint32_t to : targets) words.push_back(std::uint64_t{from} << 32 | to);
  return words;
}

Pins Pins::from(std::span<const std::uint64_t> words) {
  Pins pins;
  for (const std::uint64_t word : words)
    pins.add(static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word));
  return pins;
}

Result<RepairReport> repair(const ListStore& lists, const SlotPlan& plan,
                            const layout::BlockShape& shape, const layout::Entries& entries,
                            const WithVectors& with_vectors, const Tick& tick) {
  return Repairer(lists, plan, shape, entries, with_vectors, tick).run();
}

}  // namespace cairn::build
