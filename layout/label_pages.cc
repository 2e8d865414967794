// Role labels: the pages of the static B+-tree. Declared in streams.h.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>
#include <string>

#include "layout/byte_reader.h"
#include "layout/node_block.h"
#include "layout/streams.h"

namespace cairn::layout {
namespace {

/// What follows the checksum of a leaf or inner page.
struct LabelPageHeader {
  std::uint32_t kind;
  std::uint32_t count;
};
static_assert(sizeof(LabelPageHeader) == 8);
static_assert(std::has_unique_object_representations_v<LabelPageHeader>);

constexpr std::uint32_t kLeafKind = 1;   // persisted: never renumber
constexpr std::uint32_t kInnerKind = 2;  // inner and top pages

constexpr std::size_t kLabelsAt = kPageHeaderBytes + sizeof(LabelPageHeader);
constexpr std::size_t kSlotsAt = kLabelsAt + kLabelsPerLeaf * sizeof(std::uint64_t);
static_assert(kSlotsAt + kLabelsPerLeaf * sizeof(std::uint32_t) <= kPageBytes);
static_assert(kLabelsAt + kLabelsPerInner * sizeof(std::uint64_t) <= kPageBytes);

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

void put_labels(std::uint32_t kind, std::span<const std::uint64_t> labels,
                std::span<std::byte, kPageBytes> page) {
  std::memset(page.data(), 0, page.size());
  const LabelPageHeader header{.kind = kind, .count = static_cast<std::uint32_t>(labels.size())};
  std::memcpy(page.data() + kPageHeaderBytes, &header, sizeof header);
  std::memcpy(page.data() + kLabelsAt, labels.data(), labels.size_bytes());
}

Result<std::vector<std::uint64_t>> take_labels(std::string_view name,
                                               std::span<const std::byte> page, std::uint32_t kind,
                                               std::uint32_t most) {
  if (page.size() != kPageBytes)
    return malformed(name, std::to_string(page.size()) + " bytes", std::to_string(kPageBytes));
  ByteReader reader(page.subspan(kPageHeaderBytes), name);
  CAIRN_ASSIGN(const LabelPageHeader header, reader.take<LabelPageHeader>());
  if (header.kind != kind)
    return malformed(name, "kind " + std::to_string(header.kind), std::to_string(kind));
  if (header.count == 0 || header.count > most)
    return malformed(name, std::to_string(header.count) + " labels",
                     "1 to " + std::to_string(most));
  CAIRN_ASSIGN(auto labels, reader.take_many<std::uint64_t>(header.count));
  if (std::ranges::adjacent_find(labels, std::greater_equal<>{}) != labels.end())
    return malformed(name, "labels that do not ascend", "ascending labels, each once");
  return labels;
}

}  // namespace

LabelsPlan plan_labels(std::uint64_t count) {
  LabelsPlan plan;
  plan.header.count = count;
  plan.header.leaves = divide_up(count, kLabelsPerLeaf);
  plan.header.inners = divide_up(plan.header.leaves, kLabelsPerInner);
  plan.header.tops = divide_up(plan.header.inners, kLabelsPerInner);
  return plan;
}

void encode_labels_header(const LabelsPlan& plan, std::span<std::byte, kPageBytes> page) {
  std::memset(page.data(), 0, page.size());
  std::memcpy(page.data() + kPageHeaderBytes, &plan.header, sizeof plan.header);
}

Result<LabelsPlan> decode_labels_header(std::span<const std::byte> page, std::uint64_t pages,
                                        std::uint64_t vector_count) {
  constexpr std::string_view kName = "labels header";
  if (page.size() != kPageBytes)
    return malformed(kName, std::to_string(page.size()) + " bytes", std::to_string(kPageBytes));
  ByteReader reader(page.subspan(kPageHeaderBytes), kName);
  CAIRN_ASSIGN(const LabelsHeader found, reader.take<LabelsHeader>());
  if (found.count != vector_count)
    return malformed(kName, std::to_string(found.count) + " labels", std::to_string(vector_count));
  const LabelsPlan plan = plan_labels(vector_count);
  if (std::memcmp(&found, &plan.header, sizeof found) != 0)
    return malformed(kName,
                     std::to_string(found.leaves) + " leaves, " + std::to_string(found.inners) +
                         " inner, " + std::to_string(found.tops) + " top pages",
                     std::to_string(plan.header.leaves) + ", " +
                         std::to_string(plan.header.inners) + ", " +
                         std::to_string(plan.header.tops));
  if (plan.pages() != pages)
    return malformed(kName, std::to_string(pages) + " pages", std::to_string(plan.pages()));
  return plan;
}

void encode_label_leaf(std::span<const std::uint64_t> labels, std::span<const std::uint32_t> slots,
                       std::span<std::byte, kPageBytes> page) {
  assert(!labels.empty() && labels.size() == slots.size() && labels.size() <= kLabelsPerLeaf);
  put_labels(kLeafKind, labels, page);
  std::memcpy(page.data() + kSlotsAt, slots.data(), slots.size_bytes());
}

void encode_label_inner(std::span<const std::uint64_t> firsts,
                        std::span<std::byte, kPageBytes> page) {
  assert(!firsts.empty() && firsts.size() <= kLabelsPerInner);
  put_labels(kInnerKind, firsts, page);
}

Result<LabelLeaf> decode_label_leaf(std::span<const std::byte> page, std::uint64_t slot_count) {
  constexpr std::string_view kName = "label leaf";
  LabelLeaf leaf;
  CAIRN_ASSIGN(leaf.labels, take_labels(kName, page, kLeafKind, kLabelsPerLeaf));
  ByteReader reader(page.subspan(kSlotsAt), kName);
  CAIRN_ASSIGN(leaf.slots, reader.take_many<std::uint32_t>(leaf.labels.size()));
  for (const std::uint32_t slot : leaf.slots)
    if (slot >= slot_count)
      return malformed(kName, "slot " + std::to_string(slot),
                       "below " + std::to_string(slot_count));
  return leaf;
}

Result<std::vector<std::uint64_t>> decode_label_inner(std::span<const std::byte> page) {
  return take_labels("label inner page", page, kInnerKind, kLabelsPerInner);
}

}  // namespace cairn::layout
