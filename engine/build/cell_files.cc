#include "engine/build/cell_files.h"

#include <array>
#include <cstring>

#include "layout/leb128.h"

namespace cairn::build {
namespace {

constexpr std::size_t kRanks = 3;
constexpr std::size_t kListBytesMax = 3 * 2 + layout::kDegreeMax * (5 + 3);
constexpr std::size_t kOfferEdgeBytes = 7;

template <class T>
void put(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

template <class T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

Journal::Words LinkedCell::words() const {
  Journal::Words words{cores,       duplicates, seconds,     list_bytes,
                       inbox_bytes, entries,    block_bytes, slots_per_block};
  for (const InboxPart& part : inbox) words.insert(words.end(), {part.owner, part.at, part.bytes});
  return words;
}

LinkedCell LinkedCell::from(std::span<const std::uint64_t> words) {
  LinkedCell cell{.cores = words[0],
                  .duplicates = words[1],
                  .seconds = words[2],
                  .list_bytes = words[3],
                  .inbox_bytes = words[4],
                  .entries = words[5],
                  .block_bytes = words[6],
                  .slots_per_block = words[7],
                  .inbox = {}};
  for (std::size_t i = 8; i + 2 < words.size(); i += 3)
    cell.inbox.push_back({words[i], words[i + 1], words[i + 2]});
  return cell;
}

void append_list(std::uint32_t place, std::span<const RankedEdge> edges,
                 std::vector<std::byte>& out) {
  std::array<std::byte, kListBytesMax> buffer;
  std::byte* at = buffer.data();
  std::array<std::uint64_t, kRanks> counts{};
  for (const RankedEdge& edge : edges) ++counts[edge.rank];
  for (const std::uint64_t count : counts) at = layout::put_leb(at, count);
  std::int64_t distance = 0;
  for (const RankedEdge& edge : edges) {
    at = layout::put_leb(at, layout::zigzag(std::int64_t{edge.target} - std::int64_t{place}));
    at = layout::put_leb(at, layout::zigzag(edge.distance - distance));
    distance = edge.distance;
  }
  out.insert(out.end(), buffer.data(), at);
}

bool take_list(const std::byte*& at, const std::byte* end, std::uint32_t place,
               std::uint64_t targets, std::vector<RankedEdge>& edges) {
  edges.clear();
  std::array<std::uint64_t, kRanks> counts{};
  for (std::uint64_t& count : counts)
    if (!layout::take_leb(at, end, count) || count > layout::kDegreeMax) return false;
  std::int64_t distance = 0;
  for (std::uint8_t rank = 0; rank < kRanks; ++rank)
    for (std::uint64_t i = 0; i < counts[rank]; ++i) {
      std::uint64_t target = 0, step = 0;
      if (!layout::take_leb(at, end, target) || !layout::take_leb(at, end, step)) return false;
      // Sums of two differences within 33 and 17 bits do not overflow.
      if (target >> 33 != 0 || step >> 17 != 0) return false;
      const std::int64_t to = place + layout::unzigzag(target);
      distance += layout::unzigzag(step);
      if (to < 0 || static_cast<std::uint64_t>(to) >= targets || distance < 0 || distance > 0xffff)
        return false;
      edges.push_back({static_cast<std::uint32_t>(to), static_cast<std::uint16_t>(distance), rank});
    }
  return true;
}

void append_offer(std::uint32_t row, std::span<const RankedEdge> edges,
                  std::vector<std::byte>& out) {
  put(out, row);
  put(out, static_cast<std::uint8_t>(edges.size()));
  for (const RankedEdge& edge : edges) {
    put(out, edge.target);
    put(out, edge.distance);
    put(out, edge.rank);
  }
}

bool take_offer(const std::byte*& at, const std::byte* end, Offer& offer) {
  if (end - at < 5) return false;
  offer.row = get<std::uint32_t>(at);
  const auto count = get<std::uint8_t>(at + 4);
  at += 5;
  if (end - at < static_cast<std::ptrdiff_t>(count * kOfferEdgeBytes)) return false;
  offer.edges.clear();
  for (std::uint8_t i = 0; i < count; ++i, at += kOfferEdgeBytes)
    offer.edges.push_back(
        {get<std::uint32_t>(at), get<std::uint16_t>(at + 4), get<std::uint8_t>(at + 6)});
  return true;
}

}  // namespace cairn::build
