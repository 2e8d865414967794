// What the linking of a partition leaves to the steps behind it: lists, offers, and the journal's
// record of the cell. The first byte chooses, the rest is a part of the file.
#include "engine/build/cell_files.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::build;

bool same(const std::vector<RankedEdge>& a, const std::vector<RankedEdge>& b) {
  return std::ranges::equal(a, b, [](const RankedEdge& x, const RankedEdge& y) {
    return x.target == y.target && x.distance == y.distance && x.rank == y.rank;
  });
}

/// List after list, as they stand in a file, until one is refused.
void lists(fuzz::Input input) {
  std::uint32_t place = input.take<std::uint32_t>();
  const std::uint64_t targets = input.take<std::uint32_t>();
  const std::byte* at = input.rest().data();
  const std::byte* const end = at + input.rest().size();
  std::vector<RankedEdge> edges, again;
  for (; at != end; ++place) {
    const std::byte* const before = at;
    if (!take_list(at, end, place, targets, edges)) return;
    FUZZ_REQUIRE(at > before && at <= end);
    for (const RankedEdge& edge : edges) FUZZ_REQUIRE(edge.target < targets && edge.rank < 3);
    if (edges.size() > layout::kDegreeMax) continue;  // more than a writer has
    std::vector<std::byte> bytes;
    append_list(place, edges, bytes);
    FUZZ_REQUIRE(bytes.size() <= static_cast<std::size_t>(at - before));
    const std::byte* from = bytes.data();
    FUZZ_REQUIRE(take_list(from, from + bytes.size(), place, targets, again));
    FUZZ_REQUIRE(from == bytes.data() + bytes.size() && same(edges, again));
  }
}

void offers(fuzz::Input input) {
  const std::byte* at = input.rest().data();
  const std::byte* const end = at + input.rest().size();
  Offer offer;
  while (at != end) {
    const std::byte* const before = at;
    if (!take_offer(at, end, offer)) return;
    std::vector<std::byte> bytes;
    append_offer(offer.row, offer.edges, bytes);
    FUZZ_REQUIRE(std::equal(before, at, bytes.begin(), bytes.end()));
  }
}

void record(fuzz::Input input) {
  Journal::Words words(input.rest().size() / 8);
  if (words.size() < words_min(Unit::link)) return;
  std::memcpy(words.data(), input.rest().data(), words.size() * 8);
  const Journal::Words again = LinkedCell::from(words).words();
  FUZZ_REQUIRE(again.size() <= words.size() && words.size() - again.size() < 3);
  FUZZ_REQUIRE(std::equal(again.begin(), again.end(), words.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.take<std::uint8_t>() % 3) {
    case 0:
      lists(input);
      break;
    case 1:
      offers(input);
      break;
    default:
      record(input);
  }
  return 0;
}
