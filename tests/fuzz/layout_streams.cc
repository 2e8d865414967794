// The headers of codes and navigation, rows of navigation, and entries. The first byte chooses; the
// next fields are what the manifest would say of the file.
#include "layout/streams.h"

#include <array>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::layout;

void codes(fuzz::Input input, bool agree) {
  std::uint64_t slots = input.take<std::uint64_t>();
  std::uint64_t bytes = input.take<std::uint64_t>();
  CodesHeader header{};
  if (agree && input.rest().size() >= sizeof header) {
    std::memcpy(&header, input.rest().data(), sizeof header);
    slots = header.count;
    bytes = CodesPlan{header}.stream_bytes();
  }
  const auto plan = decode_codes_header(input.rest(), bytes, slots);
  if (!plan) return;
  FUZZ_REQUIRE(plan->header.m >= 1 && plan->header.m <= plan->header.dim);
  FUZZ_REQUIRE(plan->codes_bytes() / plan->header.m == plan->header.count);
  FUZZ_REQUIRE(plan->stream_bytes() == bytes && plan->codes_at() < bytes);
}

void nav(fuzz::Input input, bool agree) {
  std::uint64_t slots = input.take<std::uint64_t>();
  std::uint64_t bytes = input.take<std::uint64_t>();
  NavHeader header{};
  if (agree && input.rest().size() >= sizeof header) {
    std::memcpy(&header, input.rest().data(), sizeof header);
    slots = header.count;
    bytes = NavPlan{header}.slice_at(header.slices);
  }
  const auto plan = decode_nav_header(input.rest(), bytes, slots);
  if (!plan) return;
  FUZZ_REQUIRE(plan->slice_bytes() / plan->header.bits == slots);
  FUZZ_REQUIRE((bytes - 16) / plan->header.slices == plan->slice_bytes());
  FUZZ_REQUIRE((std::uint64_t{1} << plan->header.bits) - 1 >= slots);
}

void nav_row(fuzz::Input input) {
  const std::uint32_t bits = 1 + input.take<std::uint8_t>() % 32;
  const std::uint32_t count = input.take<std::uint8_t>() % (kNavEdgesPerSlice + 1);
  const auto none = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
  std::array<std::uint32_t, kNavEdgesPerSlice> edges;
  edges.fill(none);
  for (std::uint32_t e = 0; e < count; ++e) edges[e] = input.take<std::uint32_t>() & none;
  std::vector<std::byte> row(bits + kNavPadBytes, static_cast<std::byte>(count));
  nav_encode(std::span(edges).first(count), bits, std::span(row).first(bits));
  for (std::uint32_t e = 0; e < kNavEdgesPerSlice; ++e)
    FUZZ_REQUIRE(nav_edge(row.data(), bits, e) == edges[e]);
}

void entries(fuzz::Input input) {
  const std::uint64_t slots = input.take<std::uint64_t>();
  const auto decoded = decode_entries(input.rest(), slots);
  if (!decoded) return;
  const auto bytes = encode_entries(*decoded);
  FUZZ_REQUIRE(std::equal(bytes.begin(), bytes.end(), input.rest().begin(), input.rest().end()));
  for (std::size_t list = 0; list < decoded->heads.size(); ++list) {
    FUZZ_REQUIRE(decoded->heads[list] < slots);
    for (std::uint32_t i = decoded->begins[list]; i < decoded->begins[list + 1]; ++i)
      FUZZ_REQUIRE(decoded->slots.at(i) < slots);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto choice = input.take<std::uint8_t>();
  const bool agree = (choice & 0x80) != 0;
  switch (choice & 3) {
    case 0:
      codes(input, agree);
      break;
    case 1:
      nav(input, agree);
      break;
    case 2:
      nav_row(input);
      break;
    default:
      entries(input);
  }
  return 0;
}
