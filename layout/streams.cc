#include "layout/streams.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <string>

#include "layout/byte_reader.h"
#include "layout/node_block.h"

#include <cairn/types.h>

namespace cairn::layout {
namespace {

/// `corrupt` unless `found` is `expected`.
Status equals(std::string_view name, std::string_view field, std::uint64_t found,
              std::uint64_t expected) {
  if (found == expected) return {};
  return malformed(name, std::string(field) + " " + std::to_string(found),
                   std::to_string(expected));
}

Status within(std::string_view name, std::string_view field, std::uint64_t value, std::uint64_t low,
              std::uint64_t high) {
  if (value >= low && value <= high) return {};
  return malformed(name, std::string(field) + " " + std::to_string(value),
                   std::to_string(low) + " to " + std::to_string(high));
}

std::uint64_t all_ones(std::uint32_t bits) { return (std::uint64_t{1} << bits) - 1; }

}  // namespace

Result<CodesPlan> decode_codes_header(std::span<const std::byte> bytes, std::uint64_t stream_bytes,
                                      std::uint64_t slot_count) {
  constexpr std::string_view kName = "codes header";
  ByteReader reader(bytes, kName);
  CodesPlan plan;
  CAIRN_ASSIGN(plan.header, reader.take<CodesHeader>());
  CAIRN_TRY(within(kName, "dim", plan.header.dim, 1, kDimMax));
  CAIRN_TRY(within(kName, "bytes a code", plan.header.m, 1, plan.header.dim));
  CAIRN_TRY(within(kName, "count", plan.header.count, 1, kNoSlot - 1));
  CAIRN_TRY(equals(kName, "count", plan.header.count, slot_count));
  CAIRN_TRY(equals(kName, "stream bytes", stream_bytes, plan.stream_bytes()));
  return plan;
}

Result<NavPlan> decode_nav_header(std::span<const std::byte> bytes, std::uint64_t stream_bytes,
                                  std::uint64_t slot_count) {
  constexpr std::string_view kName = "nav header";
  ByteReader reader(bytes, kName);
  NavPlan plan;
  CAIRN_ASSIGN(plan.header, reader.take<NavHeader>());
  CAIRN_TRY(within(kName, "count", plan.header.count, 1, kNoSlot - 1));
  CAIRN_TRY(equals(kName, "count", plan.header.count, slot_count));
  CAIRN_TRY(within(kName, "bits an edge", plan.header.bits, nav_bits(slot_count), 32));
  CAIRN_TRY(within(kName, "slices", plan.header.slices, 1, kNavSlicesMax));
  CAIRN_TRY(equals(kName, "stream bytes", stream_bytes, plan.slice_at(plan.header.slices)));
  return plan;
}

std::uint32_t nav_bits(std::uint64_t slot_count) {
  return std::max(1U, static_cast<std::uint32_t>(std::bit_width(slot_count)));
}

void nav_encode(std::span<const std::uint32_t> edges, std::uint32_t bits,
                std::span<std::byte> row) {
  assert(bits >= 1 && bits <= 32 && edges.size() <= kNavEdgesPerSlice && row.size() == bits);
  std::uint64_t pending = 0;
  std::uint32_t pending_bits = 0;
  std::size_t at = 0;
  for (std::uint32_t e = 0; e < kNavEdgesPerSlice; ++e) {
    const std::uint64_t value = e < edges.size() ? edges[e] : all_ones(bits);
    assert(value <= all_ones(bits));
    pending |= value << pending_bits;  // at most 7 + 32 bits
    for (pending_bits += bits; pending_bits >= 8; pending_bits -= 8, pending >>= 8)
      row[at++] = static_cast<std::byte>(pending);
  }
}

std::vector<std::byte> encode_entries(const Entries& entries) {
  assert(entries.begins.size() == entries.heads.size() + 1);
  const EntriesHeader header{.lists = static_cast<std::uint32_t>(entries.heads.size()),
                             .total = static_cast<std::uint32_t>(entries.slots.size())};
  std::vector<std::byte> bytes(
      sizeof header + (entries.heads.size() + entries.begins.size() + entries.slots.size()) *
                          sizeof(std::uint32_t));
  std::memcpy(bytes.data(), &header, sizeof header);
  std::byte* at = bytes.data() + sizeof header;
  for (const auto* table : {&entries.heads, &entries.begins, &entries.slots}) {
    const std::size_t size = table->size() * sizeof(std::uint32_t);
    if (size != 0) std::memcpy(at, table->data(), size);
    at += size;
  }
  return bytes;
}

Result<Entries> decode_entries(std::span<const std::byte> bytes, std::uint64_t slot_count) {
  constexpr std::string_view kName = "entries";
  ByteReader reader(bytes, kName);
  CAIRN_ASSIGN(const EntriesHeader header, reader.take<EntriesHeader>());
  if (header.lists == 0) return malformed(kName, "no list", "at least one");
  Entries entries;
  CAIRN_ASSIGN(entries.heads, reader.take_many<std::uint32_t>(header.lists));
  CAIRN_ASSIGN(entries.begins, reader.take_many<std::uint32_t>(std::uint64_t{header.lists} + 1));
  CAIRN_ASSIGN(entries.slots, reader.take_many<std::uint32_t>(header.total));
  CAIRN_TRY(equals(kName, "bytes after the last slot", reader.remaining(), 0));
  CAIRN_TRY(equals(kName, "first begin", entries.begins.front(), 0));
  CAIRN_TRY(equals(kName, "last begin", entries.begins.back(), header.total));
  if (!std::ranges::is_sorted(entries.begins))
    return malformed(kName, "begins that descend", "ascending begins");
  for (const auto* table : {&entries.heads, &entries.slots})
    for (const std::uint32_t slot : *table)
      if (slot >= slot_count)
        return malformed(kName, "slot " + std::to_string(slot),
                         "below " + std::to_string(slot_count));
  return entries;
}

}  // namespace cairn::layout
