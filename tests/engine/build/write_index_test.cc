#include "engine/build/write_index.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "engine/build/pack.h"
#include "engine/math/distance.h"
#include "tests/engine/build/build_test_util.h"

namespace cairn::build {
namespace {

const Workers kWorkers(2);

/// Parts with a ring for a graph and codes that mean nothing, which writing does not mind.
struct Parts {
  Rows rows;
  std::vector<Label> labels;
  std::vector<std::uint32_t> node_of_slot;
  Graph graph;
  CodeTable codes;
  layout::Entries entries;
  IndexParts parts;

  Parts(std::uint64_t count, std::uint32_t dim, Metric metric, std::uint64_t seed)
      : rows(random_rows(count, dim, DType::u8, seed)),
        labels(count),
        node_of_slot(iota_order(count)),
        graph(count, 8),
        codes{{{dim, dim}, std::vector<float>(256 * dim)}, std::vector<std::uint8_t>(count * dim)},
        entries{{0}, {0, 1}, {0}} {
    std::mt19937_64 random(seed);
    std::shuffle(node_of_slot.begin(), node_of_slot.end(), random);
    for (std::uint64_t i = 0; i < count; ++i) labels[i] = i * 1000 + random() % 1000;
    std::shuffle(labels.begin(), labels.end(), random);
    for (std::uint32_t s = 0; count > 1 && s < count; ++s) {
      graph.degree[s] = 1;
      graph.row(s)[0] = static_cast<std::uint32_t>((s + 1) % count);
    }
    for (std::uint8_t& code : codes.codes) code = static_cast<std::uint8_t>(random());
    parts = {.metric = metric,
             .vectors = rows.batch(),
             .labels = labels,
             .node_of_slot = node_of_slot,
             .graph = &graph,
             .shape = choose_shape(dim, metric == Metric::cosine, 8),
             .codes = &codes,
             .refine = nullptr,
             .entries = &entries,
             .index_id = seed,
             .seed = seed,
             .dropped_edges = 3};
  }
  layout::Manifest write(const std::string& folder, const Tick& tick = {}) {
    EXPECT_TRUE(ok(io::posix_fs().make_dir(folder)));
    return must(write_index(io::posix_fs(), folder, parts, kWorkers, tick));
  }
};

TEST(WriteIndex, WritesWhatReadsBack) {
  const ScratchDir dir;
  for (const std::uint64_t count : {1U, 63U, 64U, 65U, 5000U}) {
    SCOPED_TRACE(std::to_string(count) + " vectors");
    Parts parts(count, 6, Metric::l2, count);
    const std::string folder = dir.file(std::to_string(count));
    const layout::Manifest manifest = parts.write(folder);
    EXPECT_TRUE(ok(verify_written(io::posix_fs(), folder)));
    const StoredIndex index = read_index(folder);
    expect_whole(index, parts.rows, parts.labels);
    EXPECT_EQ(index.manifest.header.checksum, manifest.header.checksum);
    EXPECT_EQ(manifest.segments[0].dropped_edges, 3U);
    EXPECT_EQ(manifest.segments[0].slot_count % manifest.segments[0].slots_per_block, 0U);
    EXPECT_EQ(manifest.find(1, layout::Role::refine), nullptr);
    // The codes stand in slot order, and those of empty places are zero.
    const std::size_t at = sizeof(layout::CodesHeader) + 256 * 6 * 4;
    std::vector<std::uint8_t> expected = parts.codes.codes;
    expected.resize(index.manifest.segments[0].slot_count * 6);
    ASSERT_EQ(index.codes.size(), at + expected.size());
    EXPECT_EQ(std::memcmp(index.codes.data() + at, expected.data(), expected.size()), 0);
  }
}

TEST(WriteIndex, StoresInverseNormsForCosine) {
  const ScratchDir dir;
  Parts parts(100, 6, Metric::cosine, 1);
  parts.write(dir.file("index"));
  const auto index = read_index(dir.file("index"));
  const auto files = read_files(dir.file("index"));
  const auto shape = index.manifest.block_shape(index.manifest.segments[0]);
  ASSERT_TRUE(shape.has_norms);
  const auto view = must(layout::BlockView::open(
      shape, std::span(files.at("000001.blocks")).first(shape.block_bytes), 0));
  for (std::uint32_t place = 0; place < std::min(shape.slots, 100U); ++place)
    EXPECT_EQ(view.inverse_norm(place), math::inverse_norm({view.vector(place), 6, DType::u8}));
}

TEST(WriteIndex, WritesLabelPagesOfThreeLevels) {
  const ScratchDir dir;
  // One leaf more than an inner page holds.
  const std::uint64_t count = std::uint64_t{layout::kLabelsPerLeaf} * layout::kLabelsPerInner + 1;
  Parts parts(count, 1, Metric::l2, 2);
  parts.write(dir.file("index"));
  const StoredIndex index = read_index(dir.file("index"));
  ASSERT_EQ(index.slot_of_label.size(), count);
  for (const auto& [label, slot] : index.slot_of_label) ASSERT_EQ(index.labels[slot], label);
}

TEST(WriteIndex, CountsProgressInPages) {
  const ScratchDir dir;
  Parts parts(20000, 6, Metric::l2, 3);
  std::uint64_t last = 0, total = 0;
  const layout::Manifest manifest =
      parts.write(dir.file("index"), [&](const char*, std::uint64_t done, std::uint64_t all) {
        EXPECT_GE(done, last);
        last = done;
        total = all;
        return true;
      });
  std::uint64_t pages = 0;
  for (const auto& file : manifest.files) pages += file.pages;
  EXPECT_EQ(last, pages);
  EXPECT_EQ(total, pages);
}

TEST(WriteIndex, StopsWhenCancelled) {
  const ScratchDir dir;
  Parts parts(500, 6, Metric::l2, 4);
  ASSERT_TRUE(ok(io::posix_fs().make_dir(dir.file("index"))));
  const auto stop = [](const char*, std::uint64_t, std::uint64_t) { return false; };
  const auto result = write_index(io::posix_fs(), dir.file("index"), parts.parts, kWorkers, stop);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  EXPECT_FALSE(std::filesystem::exists(dir.file("index/MANIFEST")));
}

class Damage : public ::testing::TestWithParam<const char*> {};

TEST_P(Damage, IsSeenByTheReadBack) {
  const ScratchDir dir;
  Parts parts(3000, 6, Metric::l2, 5);
  parts.write(dir.file("index"));
  const std::string path = dir.file("index/") + GetParam();
  const auto size = std::filesystem::file_size(path);
  const auto expect_seen = [&] {
    const Status status = verify_written(io::posix_fs(), dir.file("index"));
    ASSERT_FALSE(status);
    expect_error(status.error(), ErrorCode::corrupt, {});
  };
  constexpr std::uint64_t kSeed = 6;
  std::mt19937_64 random(kSeed);
  for (int flip = 0; flip < 20; ++flip) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(random() % size);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get());
    const auto write = [&](char value) {
      file.seekp(at);
      file.put(value);
      file.flush();
    };
    write(static_cast<char>(byte ^ (1 << random() % 8)));
    expect_seen();
    write(byte);
  }
  EXPECT_TRUE(ok(verify_written(io::posix_fs(), dir.file("index"))));
  std::filesystem::resize_file(path, size - 4096);
  expect_seen();
  std::filesystem::resize_file(path, size + 4096);
  expect_seen();
}

INSTANTIATE_TEST_SUITE_P(Files, Damage,
                         ::testing::Values("000001.blocks", "000002.codes", "000003.nav",
                                           "000005.labels"));

}  // namespace
}  // namespace cairn::build
