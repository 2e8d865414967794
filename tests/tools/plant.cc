#include "tests/tools/plant.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <span>
#include <vector>

#include "layout/page.h"
#include "layout/streams.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::tools {
namespace {

using build::must;
using layout::kPageBytes;
using layout::kPageHeaderBytes;
using layout::kPagePayloadBytes;
using layout::Role;

std::string path_of(const std::string& folder, const layout::FileRecord& record) {
  return folder + "/" + layout::file_name(record.number, static_cast<Role>(record.role));
}

/// What the pages of a stream file carry, its padding included.
std::vector<std::byte> read_stream(const std::string& folder, const layout::FileRecord& record) {
  std::vector<std::byte> pages(record.pages * kPageBytes);
  std::vector<std::byte> stream(record.pages * kPagePayloadBytes);
  std::ifstream file(path_of(folder, record), std::ios::binary);
  file.read(reinterpret_cast<char*>(pages.data()), static_cast<std::streamsize>(pages.size()));
  EXPECT_TRUE(file);
  for (std::uint64_t p = 0; p < record.pages; ++p)
    std::memcpy(stream.data() + p * kPagePayloadBytes,
                pages.data() + p * kPageBytes + kPageHeaderBytes, kPagePayloadBytes);
  return stream;
}

void write_stream(const std::string& folder, const layout::FileRecord& record,
                  std::span<const std::byte> stream) {
  ASSERT_EQ(stream.size(), record.pages * kPagePayloadBytes);
  std::vector<std::byte> pages(record.pages * kPageBytes);
  for (std::uint64_t p = 0; p < record.pages; ++p) {
    const auto page = std::span(pages).subspan(p * kPageBytes, kPageBytes);
    std::memcpy(page.data() + kPageHeaderBytes, stream.data() + p * kPagePayloadBytes,
                kPagePayloadBytes);
    layout::seal_page(page, {record.identity, p, record.generation});
  }
  std::ofstream file(path_of(folder, record), std::ios::binary);
  file.write(reinterpret_cast<const char*>(pages.data()),
             static_cast<std::streamsize>(pages.size()));
  ASSERT_TRUE(file.flush());
}

/// Copies the streams of a role from one index to another.
void take_streams(const std::string& folder, const std::string& from, Role role) {
  const layout::Manifest into = search::testing::read_manifest(folder);
  const layout::Manifest other = search::testing::read_manifest(from);
  const auto files = into.files_of(into.segments.front().segment, role);
  const auto sources = other.files_of(other.segments.front().segment, role);
  ASSERT_EQ(files.size(), sources.size());
  ASSERT_FALSE(files.empty());
  for (std::size_t i = 0; i < files.size(); ++i) {
    ASSERT_EQ(files[i]->stream_bytes, sources[i]->stream_bytes);
    write_stream(folder, *files[i], read_stream(from, *sources[i]));
  }
}

void cut_block(const layout::BlockShape& shape, std::uint64_t slot_count,
               std::span<std::byte> block, std::uint32_t first_slot,
               const std::function<bool(std::uint32_t)>& to) {
  const std::vector<std::byte> old(block.begin(), block.end());
  const auto view = must(layout::BlockView::open(shape, old, first_slot));
  layout::BlockWriter writer(shape, block, first_slot);
  std::array<std::uint32_t, layout::kDegreeMax> targets;
  for (std::uint32_t place = 0; place < shape.slots; ++place) {
    if (!view.occupied(place)) continue;
    const std::uint32_t degree = must(view.neighbors(place, slot_count, targets));
    const auto end = std::remove_if(targets.begin(), targets.begin() + degree, to);
    writer.put(place, view.vector(place), view.label(place), view.inverse_norm(place),
               {targets.begin(), end});
  }
  writer.finish();
}

void cut_navigation(const std::string& folder, const std::function<bool(std::uint32_t)>& to) {
  const layout::Manifest manifest = search::testing::read_manifest(folder);
  const layout::SegmentRecord& segment = manifest.segments.front();
  const layout::FileRecord* record = manifest.find(segment.segment, Role::nav);
  ASSERT_NE(record, nullptr);
  std::vector<std::byte> stream = read_stream(folder, *record);
  const auto plan =
      must(layout::decode_nav_header(stream, record->stream_bytes, segment.slot_count));
  const std::uint32_t bits = plan.header.bits;
  stream.resize(stream.size() + layout::kNavPadBytes);
  for (std::uint32_t slice = 0; slice < plan.header.slices; ++slice)
    for (std::uint64_t slot = 0; slot < segment.slot_count; ++slot) {
      const auto row = std::span(stream).subspan(plan.slice_at(slice) + slot * bits, bits);
      std::vector<std::uint32_t> kept;
      for (std::uint32_t e = 0; e < layout::kNavEdgesPerSlice; ++e) {
        const std::uint32_t target = layout::nav_edge(row.data(), bits, e);
        if (target < segment.slot_count && !to(target)) kept.push_back(target);
      }
      layout::nav_encode(kept, bits, row);
    }
  stream.resize(stream.size() - layout::kNavPadBytes);
  write_stream(folder, *record, stream);
}

}  // namespace

void cut_edges(const std::string& folder, const std::function<bool(std::uint32_t slot)>& to) {
  const std::uint64_t slots = search::testing::read_manifest(folder).segments.front().slot_count;
  search::testing::rewrite_blocks(
      folder, [&](const layout::BlockShape& shape, std::span<std::byte> block,
                  std::uint32_t first_slot) { cut_block(shape, slots, block, first_slot, to); });
  cut_navigation(folder, to);
}

void take_codes(const std::string& folder, const std::string& from) {
  take_streams(folder, from, Role::codes);
  take_streams(folder, from, Role::refine);
}

void take_calibration(const std::string& folder, const std::string& from) {
  take_streams(folder, from, Role::calibration);
}

}  // namespace cairn::tools
