// Small valid values of each format, for tests to take apart, and checks on errors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "layout/manifest.h"
#include "layout/page.h"
#include "layout/streams.h"

namespace cairn::layout {

/// Fails unless `error` has `code` and every one of `words` in its one line.
inline void expect_error(const Error& error, ErrorCode code,
                         const std::vector<std::string>& words) {
  EXPECT_EQ(error.code, code) << error.to_string();
  for (const std::string& word : words)
    EXPECT_NE(error.to_string().find(word), std::string::npos)
        << "no '" << word << "' in: " << error.to_string();
}

inline FileRecord sample_file(const Manifest& manifest, std::uint64_t number, Role role,
                              std::uint64_t segment, std::uint64_t pages,
                              std::uint64_t stream_bytes) {
  return {.number = number,
          .segment = segment,
          .identity = file_identity(manifest.header.index_id, role, number),
          .generation = 1,
          .pages = pages,
          .stream_bytes = stream_bytes,
          .digest = 0x1234'5678'9abc'def0ULL + number,
          .page_bytes = role == Role::blocks ? 8192U : 4096U,
          .role = static_cast<std::uint16_t>(role),
          .reserved = 0};
}

/// Two segments of 16 f32 dimensions: segment 3 with two extents in two files, refinement and
/// navigation; segment 5 with one extent and neither. extent_count is filled in.
inline Manifest sample_manifest() {
  Manifest m;
  m.header.sequence = 9;
  m.header.index_id = 0xfeed'beef'0123'4567ULL;
  m.header.next_file_number = 40;
  m.header.seed = 42;
  m.header.dim = 16;
  m.header.dtype = static_cast<std::uint8_t>(DType::f32);
  m.header.metric = static_cast<std::uint8_t>(Metric::cosine);
  std::strncpy(m.header.kernel_path, "avx2", sizeof m.header.kernel_path);
  const auto segment = [&](std::uint64_t number, std::uint64_t slots, std::uint32_t refine,
                           std::uint32_t extents) {
    m.segments.push_back({.segment = number,
                          .slot_count = slots,
                          .vector_count = slots - 3,
                          .edge_count = slots * 4,
                          .dropped_edges = 1,
                          .slots_per_block = 20,
                          .block_bytes = 8192,
                          .degree_max = 32,
                          .code_bytes = 8,
                          .refine_bytes = refine,
                          .extent_count = extents});
  };
  segment(3, 100, 4, 2);
  segment(5, 60, 0, 1);
  const auto extent = [&](std::uint64_t number, std::uint64_t first, std::uint64_t slots,
                          std::uint64_t file, std::uint64_t block) {
    m.extents.push_back({.segment = number,
                         .first_slot = first,
                         .slot_count = slots,
                         .blocks_file = file,
                         .first_block = block,
                         .codebook_version = 1,
                         .reserved = 0});
  };
  extent(3, 0, 40, 11, 2);
  extent(3, 40, 60, 10, 0);
  extent(5, 0, 60, 20, 1);
  const auto file = [&](std::uint64_t number, Role role, std::uint64_t of, std::uint64_t pages,
                        std::uint64_t bytes) {
    m.files.push_back(sample_file(m, number, role, of, pages, bytes));
  };
  file(10, Role::blocks, 3, 3, 0);
  file(11, Role::blocks, 3, 4, 0);
  file(12, Role::codes, 3, 5, 17200);
  file(13, Role::refine, 3, 5, 16800);
  file(14, Role::nav, 3, 1, 716);
  file(15, Role::entries, 3, 1, 4088);
  file(16, Role::labels, 3, 4, 0);
  file(20, Role::blocks, 5, 4, 0);
  file(21, Role::codes, 5, 5, 16880);
  file(22, Role::entries, 5, 2, 4089);
  file(23, Role::labels, 5, 4, 0);
  return m;
}

/// The same, the refinement of segment 3 in layers of 1 and 3 bytes.
inline Manifest layered_manifest() {
  Manifest m = sample_manifest();
  m.header.incompatible = kRefinementInLayers;
  m.files[3].stream_bytes = 16 + 1024 * 16 + 100;
  m.files.push_back(sample_file(m, 30, Role::refine, 3, 5, 16 + 1024 * 16 + 300));
  return m;
}

/// `count` ascending, distinct values below `limit`, mostly near `centre`.
inline std::vector<std::uint32_t> random_targets(std::mt19937_64& random, std::size_t count,
                                                 std::uint64_t centre, std::uint64_t limit) {
  std::vector<std::uint32_t> targets;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t span = std::uint64_t{1} << (random() % 33);
    const std::uint64_t low = centre > span / 2 ? centre - span / 2 : 0;
    targets.push_back(static_cast<std::uint32_t>((low + random() % span) % limit));
  }
  std::ranges::sort(targets);
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

inline std::vector<std::byte> random_bytes(std::mt19937_64& random, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// One node of a block: what put() takes.
struct Node {
  std::uint32_t place = 0;
  std::vector<std::byte> vector;
  Label label = 0;
  float inverse_norm = 1;
  std::vector<std::uint32_t> targets;
};

/// Writes `nodes`, in ascending order of place, into an unsealed block.
inline std::vector<std::byte> write_block(const BlockShape& shape, std::uint32_t first_slot,
                                          std::span<const Node> nodes) {
  std::vector<std::byte> page(shape.block_bytes, std::byte{0xaa});
  BlockWriter writer(shape, page, first_slot);
  for (const Node& node : nodes)
    writer.put(node.place, node.vector.data(), node.label, node.inverse_norm, node.targets);
  writer.finish();
  return page;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t at, const T& value) {
  ASSERT_LE(at + sizeof value, bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

}  // namespace cairn::layout
