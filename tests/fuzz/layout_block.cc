// BlockView::open and neighbors on any page of any shape. The input is the shape, then the page.
// The lowest bit of the flags asks for a header that passes, so that the lists are reached.
#include <algorithm>
#include <vector>

#include "layout/node_block.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::layout;

constexpr std::uint32_t kPagesMax = 20;  // 80 KiB: more than a 16-bit end can say

BlockShape take_shape(fuzz::Input& input, std::uint8_t flags) {
  BlockShape shape;
  shape.slots = input.take<std::uint8_t>();
  shape.row_bytes = input.take<std::uint32_t>();
  shape.block_bytes = input.take<std::uint32_t>();
  if ((flags & 4) == 0) {
    shape.row_bytes = 1 + shape.row_bytes % 1024;
    shape.block_bytes = 4096 * (1 + shape.block_bytes % kPagesMax);
  }
  shape.has_norms = (flags & 2) != 0;
  return shape;
}

void repair(std::vector<std::byte>& page, const BlockShape& shape, std::uint32_t first_slot) {
  BlockHeader header;
  std::memcpy(&header, page.data(), sizeof header);
  header.first_slot = first_slot;
  if (shape.slots < 64) header.occupied &= (std::uint64_t{1} << shape.slots) - 1;
  std::fill(std::begin(header.reserved), std::end(header.reserved), 0);
  std::uint16_t end = 0;
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    std::uint16_t given;
    std::byte* const at = page.data() + shape.ends_at() + std::size_t{place} * 2;
    std::memcpy(&given, at, sizeof given);
    if (((header.occupied >> place) & 1) != 0) {
      const std::uint32_t room = shape.adjacency_capacity() - end;
      end = static_cast<std::uint16_t>(end + std::min<std::uint32_t>(given % 1024, room));
    }
    std::memcpy(at, &end, sizeof end);
  }
  header.adjacency_bytes = end;
  std::memcpy(page.data(), &header, sizeof header);
}

using Lists = std::vector<std::vector<std::uint32_t>>;

/// The lists of all places; sets `all` to whether every one was accepted.
Lists read_lists(const BlockView& view, const BlockShape& shape, std::uint64_t slots, bool& all) {
  Lists lists(shape.slots);
  all = true;
  std::uint32_t room[kDegreeMax];
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    const auto degree = view.neighbors(place, slots, room);
    all = all && degree.has_value();
    if (!degree) continue;
    FUZZ_REQUIRE(*degree <= kDegreeMax);
    lists[place].assign(room, room + *degree);
    for (std::size_t i = 0; i < lists[place].size(); ++i) {
      FUZZ_REQUIRE(lists[place][i] < slots);
      FUZZ_REQUIRE(i == 0 || lists[place][i] > lists[place][i - 1]);
    }
    FUZZ_REQUIRE(view.occupied(place) || lists[place].empty());
  }
  return lists;
}

/// What was read, written again, reads the same: in no more bytes, for the writer's are the fewest.
void check_rewrite(const BlockView& view, const BlockShape& shape, const Lists& lists,
                   std::uint32_t first_slot, std::uint64_t slots) {
  std::vector<std::byte> copy(shape.block_bytes);
  BlockWriter writer(shape, copy, first_slot);
  for (std::uint32_t place = 0; place < shape.slots; ++place)
    if (view.occupied(place))
      writer.put(place, view.vector(place), view.label(place), view.inverse_norm(place),
                 lists[place]);
  writer.finish();
  const auto again = BlockView::open(shape, copy, first_slot);
  FUZZ_REQUIRE(again && again->occupied_mask() == view.occupied_mask());
  FUZZ_REQUIRE(again->adjacency_bytes_used() <= view.adjacency_bytes_used());
  bool all = false;
  FUZZ_REQUIRE(read_lists(*again, shape, slots, all) == lists && all);
  for (std::uint32_t place = 0; place < shape.slots; ++place)
    if (view.occupied(place)) {
      FUZZ_REQUIRE(again->label(place) == view.label(place));
      FUZZ_REQUIRE(std::memcmp(again->vector(place), view.vector(place), shape.row_bytes) == 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto flags = input.take<std::uint8_t>();
  const BlockShape shape = take_shape(input, flags);
  const std::uint64_t slots = input.take<std::uint32_t>();
  const auto first_slot = input.take<std::uint32_t>();
  if (!shape.valid() || shape.block_bytes > 4096 * kPagesMax) {
    FUZZ_REQUIRE(!BlockView::open(shape, input.rest(), first_slot) || shape.valid());
    return 0;
  }
  std::vector<std::byte> page(input.rest().begin(), input.rest().end());
  page.resize(shape.block_bytes);
  if ((flags & 1) != 0) repair(page, shape, first_slot);
  const auto view = BlockView::open(shape, page, first_slot);
  FUZZ_REQUIRE(view || (flags & 1) == 0);
  if (!view) return 0;
  FUZZ_REQUIRE(view->adjacency_bytes_used() <= shape.adjacency_capacity());
  bool all = false;
  const Lists lists = read_lists(*view, shape, slots, all);
  const bool in_range = first_slot <= kNoSlot - kSlotsPerBlockMax;
  if (all && in_range) check_rewrite(*view, shape, lists, first_slot, slots);
  return 0;
}
