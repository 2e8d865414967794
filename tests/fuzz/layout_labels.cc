// The pages of the label tree. The first byte chooses the kind; the next fields are what the
// manifest would say; the rest is the page, filled up with zeros when the lowest bit of the second
// byte asks for it.
#include <algorithm>
#include <array>
#include <vector>

#include "layout/streams.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn::layout;

using Page = std::array<std::byte, kPageBytes>;

void header(std::span<const std::byte> page, std::uint64_t pages, std::uint64_t count) {
  const auto plan = decode_labels_header(page, pages, count);
  if (!plan) return;
  FUZZ_REQUIRE(plan->header.count == count && plan->pages() == pages);
  FUZZ_REQUIRE(plan->header.leaves * kLabelsPerLeaf >= count || count > 0xffff'ffff'ffff'0000ULL);
  FUZZ_REQUIRE(plan->header.inners <= plan->header.leaves);
}

void leaf(std::span<const std::byte> page, std::uint64_t slot_count) {
  const auto found = decode_label_leaf(page, slot_count);
  if (!found) return;
  FUZZ_REQUIRE(!found->labels.empty() && found->labels.size() <= kLabelsPerLeaf);
  FUZZ_REQUIRE(found->labels.size() == found->slots.size());
  FUZZ_REQUIRE(std::ranges::is_sorted(found->labels));
  for (const std::uint32_t slot : found->slots) FUZZ_REQUIRE(slot < slot_count);
  Page copy;
  encode_label_leaf(found->labels, found->slots, copy);
  const auto again = decode_label_leaf(copy, slot_count);
  FUZZ_REQUIRE(again && again->labels == found->labels && again->slots == found->slots);
}

void inner(std::span<const std::byte> page) {
  const auto found = decode_label_inner(page);
  if (!found) return;
  FUZZ_REQUIRE(!found->empty() && found->size() <= kLabelsPerInner);
  Page copy;
  encode_label_inner(*found, copy);
  const auto again = decode_label_inner(copy);
  FUZZ_REQUIRE(again && *again == *found);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::fuzz::Input input(data, size);
  const auto choice = input.take<std::uint8_t>();
  const bool fill = (input.take<std::uint8_t>() & 1) != 0;
  const auto first = input.take<std::uint64_t>();
  const auto second = input.take<std::uint64_t>();
  std::vector<std::byte> page(input.rest().begin(), input.rest().end());
  if (fill) page.resize(kPageBytes);
  switch (choice % 3) {
    case 0:
      header(page, first, second);
      break;
    case 1:
      leaf(page, first);
      break;
    default:
      inner(page);
  }
  return 0;
}
