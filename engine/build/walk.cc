#include "engine/build/walk.h"

#include <algorithm>

namespace cairn::build {
namespace {

constexpr std::size_t kChunksKept = 8;

}  // namespace

Result<const ListChunk*> PinnedLists::chunk(std::uint32_t number) {
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const auto& kept) { return kept.first == number; });
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
    return &kept_.front().second;
  }
  if (kept_.size() == kChunksKept) kept_.pop_back();  // before the next comes in
  CAIRN_ASSIGN(ListChunk chunk, lists_.read(number));
  pins_.apply(shape_, chunk);
  kept_.emplace_front(number, std::move(chunk));
  return &kept_.front().second;
}

void PinnedLists::patch(std::uint32_t number, std::uint32_t first, const Graph& rows) {
  for (auto& [kept, chunk] : kept_)
    if (kept == number) chunk.replace(first, rows);
}

Walk::Walk(PinnedLists& lists, std::uint64_t slots)
    : lists_(lists),
      reached_(slots),
      followed_(slots),
      has_in_edge_(slots),
      waiting_(lists.lists().chunks()),
      row_(lists.lists().shape().degree_max) {}

void Walk::reach(std::uint32_t slot) {
  if (reached_[slot]) return;
  reached_[slot] = true;
  ++waiting_[lists_.lists().chunk_of(slot)];
}

Status Walk::run(const Tick& tick) {
  for (bool more = true; more;) {
    more = false;
    for (std::uint32_t chunk = 0; chunk < waiting_.size(); ++chunk) {
      if (waiting_[chunk] == 0) continue;
      CAIRN_TRY(follow(chunk));
      more = true;
      if (tick && !tick("repair", done_, reached_.size()))
        return fail(ErrorCode::cancelled, "the build was cancelled");
    }
  }
  return {};
}

Status Walk::follow(std::uint32_t number) {
  CAIRN_ASSIGN(const ListChunk* chunk, lists_.chunk(number));
  const std::uint64_t first = chunk->first_slot();
  const auto leave = [&](std::uint32_t i) {
    followed_[first + i] = true;
    ++done_;
    const std::uint32_t degree = chunk->row(i, row_.data());
    for (std::uint32_t e = 0; e < degree; ++e) {
      const std::uint32_t to = row_[e];
      has_in_edge_[to] = true;
      if (reached_[to]) continue;
      if (to - first < chunk->count()) {
        reached_[to] = true;
        stack_.push_back(static_cast<std::uint32_t>(to - first));
      } else {
        reach(to);
      }
    }
  };
  for (std::uint32_t i = 0; i < chunk->count(); ++i) {
    if (!reached_[first + i] || followed_[first + i]) continue;
    stack_.assign(1, i);
    while (!stack_.empty()) {
      const std::uint32_t next = stack_.back();
      stack_.pop_back();
      if (!followed_[first + next]) leave(next);
    }
  }
  waiting_[number] = 0;
  return {};
}

}  // namespace cairn::build
