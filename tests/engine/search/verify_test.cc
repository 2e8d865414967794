// verify and inspect: a good index passes with the right counts, each kind of damage is named.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "engine/search/index_folder.h"
#include "io/page_file.h"
#include "layout/manifest.h"
#include "layout/node_block.h"
#include "layout/page.h"
#include "layout/streams.h"
#include "tests/engine/search/search_test_util.h"

namespace cairn::search::testing {
namespace {

TEST(Verify, PassesAGoodIndexWithItsCounts) {
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    const auto built = build_index({.count = 2000, .dtype = DType::f32, .metric = metric});
    const auto index = open_index(*built);
    std::uint64_t last = 0, total = 0;
    VerifyOptions options;
    options.progress = [&](std::uint64_t done, std::uint64_t of) {
      EXPECT_GE(done, last);
      last = done;
      total = of;
    };
    const auto report = must(index->verify(options));
    EXPECT_TRUE(report.ok()) << report.problems[0].to_string();
    const auto stats = index->stats();
    EXPECT_EQ(report.vectors, 2000u);
    EXPECT_EQ(report.edges, stats.edge_count);
    EXPECT_EQ(report.blocks, stats.slot_count / stats.slots_per_block);
    EXPECT_EQ(report.unreachable, 0u);
    EXPECT_EQ(report.without_in_edge, 0u);
    EXPECT_EQ(last, total);
    EXPECT_GT(total, report.blocks);
  }
}

TEST(Inspect, CountsWhatIsThere) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  std::uint64_t told = 0, of = 0;
  const auto report = must(index->inspect([&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, told);
    EXPECT_LE(done, total);
    told = done;
    of = total;
  }));
  EXPECT_EQ(told, of);
  EXPECT_GE(of, report.blocks);
  const auto stats = index->stats();
  EXPECT_EQ(report.vectors, stats.vector_count);
  EXPECT_EQ(report.places, stats.slot_count);
  EXPECT_EQ(report.edges, stats.edge_count);
  EXPECT_GT(report.edges_inside_block, 0u);
  EXPECT_LT(report.edges_inside_block, report.edges);
  std::uint64_t nodes = 0, edges = 0, bytes = 0;
  for (std::size_t d = 0; d < report.degree_histogram.size(); ++d) {
    nodes += report.degree_histogram[d];
    edges += d * report.degree_histogram[d];
  }
  EXPECT_EQ(nodes, report.vectors);
  EXPECT_EQ(edges, report.edges);
  EXPECT_EQ(report.parts.size(), 6u);
  for (const auto& part : report.parts) bytes += part.bytes;
  EXPECT_LT(bytes, stats.disk_bytes);
  EXPECT_GT(bytes + 4096, stats.disk_bytes);
}

// ---- damage that checksums do not see: pages changed and sealed again --------------------------

/// A copy of the shared index whose pages can be changed as a wrong writer would.
class Forged {
 public:
  Forged() : folder_(dir_.file("copy")) {
    copy_folder(shared_index().folder, folder_);
    const auto bytes = build::read_files(folder_).at(layout::kManifestName);
    manifest_ = must(layout::decode_manifest(bytes));
  }

  const std::string& folder() const { return folder_; }
  const layout::SegmentRecord& segment() const { return manifest_.segments[0]; }
  const layout::FileRecord& record(layout::Role role) const {
    return *manifest_.find(segment().segment, role);
  }
  std::string path(layout::Role role) const {
    return folder_ + "/" + layout::file_name(record(role).number, role);
  }
  layout::BlockShape shape() const { return manifest_.block_shape(segment()); }

  /// Changes page `page` of a file, seals it, and records the file's new digest in the manifest.
  void forge(layout::Role role, std::uint64_t page,
             const std::function<void(std::span<std::byte>)>& change) {
    std::fstream file(path(role), std::ios::in | std::ios::out | std::ios::binary);
    const layout::FileRecord& old = record(role);
    std::vector<std::byte> bytes(old.page_bytes);
    const auto at = static_cast<std::streamoff>(page * old.page_bytes);
    file.seekg(at);
    file.read(reinterpret_cast<char*>(bytes.data()), old.page_bytes);
    change(bytes);
    layout::seal_page(bytes, page_file_id(old).page(page));
    file.seekp(at);
    file.write(reinterpret_cast<const char*>(bytes.data()), old.page_bytes);
    file.close();
    ASSERT_TRUE(file);
    const auto whole = must(io::posix_fs().open(path(role), false));
    for (layout::FileRecord& found : manifest_.files)
      if (found.number == old.number)
        found.digest = must(io::scan_pages(*whole, page_file_id(old), {})).digest;
    write_manifest();
  }

  void change_manifest(const std::function<void(layout::Manifest&)>& change) {
    change(manifest_);
    write_manifest();
  }

  VerifyReport verify() const { return must(must(Index::open(folder_))->verify()); }

  /// Rewrites a block with `edit` applied to its vectors, labels and lists.
  struct Node {
    std::vector<std::byte> vector;
    Label label;
    std::vector<std::uint32_t> targets;
  };
  void forge_block(std::uint64_t block, const std::function<void(std::vector<Node>&)>& edit) {
    forge(layout::Role::blocks, block, [&](std::span<std::byte> page) {
      const auto first = static_cast<std::uint32_t>(block * segment().slots_per_block);
      const auto view = must(layout::BlockView::open(shape(), page, first));
      std::vector<Node> nodes;
      for (std::uint32_t place = 0; place < shape().slots; ++place) {
        ASSERT_TRUE(view.occupied(place));
        std::array<std::uint32_t, layout::kDegreeMax> targets;
        const auto degree = must(view.neighbors(place, segment().slot_count, targets));
        nodes.push_back({{view.vector(place), view.vector(place) + shape().row_bytes},
                         view.label(place),
                         {targets.begin(), targets.begin() + degree}});
      }
      edit(nodes);
      layout::BlockWriter writer(shape(), page, first);
      for (std::uint32_t place = 0; place < nodes.size(); ++place)
        writer.put(place, nodes[place].vector.data(), nodes[place].label, 1, nodes[place].targets);
      writer.finish();
    });
  }

 private:
  void write_manifest() {
    const auto bytes = layout::encode_manifest(manifest_);
    std::ofstream(folder_ + "/" + layout::kManifestName, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }

  ScratchDir dir_;
  std::string folder_;
  layout::Manifest manifest_;
};

/// Whether some problem speaks of `words`, in `file` and, when given, at `block`.
::testing::AssertionResult names(const VerifyReport& report, const std::string& words,
                                 const std::string& file, std::optional<std::uint64_t> block = {}) {
  std::string all;
  for (const Error& problem : report.problems) {
    const std::string text = problem.to_string();
    if (text.find(words) != std::string::npos && problem.file == file &&
        (!block || problem.block == block))
      return ::testing::AssertionSuccess();
    all += text + "\n";
  }
  return ::testing::AssertionFailure() << "no '" << words << "' among:\n" << all;
}

constexpr auto kBlocks = layout::Role::blocks;

TEST(Verify, ListsEveryDamagedPage) {
  Forged forged;
  for (const std::uint64_t page : {2u, 7u, 30u}) flip_bit(forged.path(kBlocks), page * 4096 + 321);
  flip_bit(forged.path(layout::Role::nav), 4096 + 5);  // in the checksum of page 1
  const auto index =
      Index::open(forged.folder(), {.memory_limit_bytes = smallest_limit(forged.folder())});
  ASSERT_TRUE(index) << index.error().to_string();
  const auto report = must((*index)->verify());
  for (const std::uint64_t page : {2u, 7u, 30u})
    EXPECT_TRUE(names(report, "corrupt", forged.path(kBlocks), page));
  EXPECT_TRUE(names(report, "corrupt", forged.path(layout::Role::nav), 1));
  VerifyOptions few;
  for (const std::uint32_t problems_max : {2u, 0u}) {
    few.problems_max = problems_max;
    const auto bounded = must((*index)->verify(few));
    EXPECT_EQ(bounded.problems.size(), problems_max);
    EXPECT_EQ(bounded.problem_count, report.problems.size());
    EXPECT_FALSE(bounded.ok());
  }
}

TEST(Verify, AnIndexWithoutSegmentsIsWholeAndEmptyUnderAnyLimit) {
  Forged forged;
  forged.change_manifest([](layout::Manifest& manifest) {
    manifest.segments.clear();
    manifest.extents.clear();
    manifest.header.incompatible = 0;  // of what it held
    manifest.files.clear();
  });
  for (const std::uint64_t limit : {std::uint64_t{1} << 15, std::uint64_t{1} << 24}) {
    const auto index = Index::open(forged.folder(), {.memory_limit_bytes = limit});
    ASSERT_TRUE(index) << index.error().to_string();
    const auto result = must((*index)->search(request_for(shared_index(), 0)));
    EXPECT_TRUE(result.neighbors.empty());
    EXPECT_EQ(result.stop, Stop::exhausted);
    EXPECT_TRUE(must((*index)->verify()).ok());
  }
}

TEST(Verify, NamesADigestThatIsNotTheManifests) {
  Forged forged;
  forged.change_manifest([](layout::Manifest& manifest) {
    for (layout::FileRecord& file : manifest.files) file.digest ^= 1;
  });
  const auto report = forged.verify();
  for (const auto role : {kBlocks, layout::Role::codes, layout::Role::refine, layout::Role::nav,
                          layout::Role::entries, layout::Role::labels})
    EXPECT_TRUE(names(report, "digest", forged.path(role)));
}

TEST(Verify, NamesCountsThatAreNotTheManifests) {
  Forged forged;
  forged.change_manifest([](layout::Manifest& manifest) { ++manifest.segments[0].edge_count; });
  EXPECT_TRUE(names(forged.verify(), "edges in the blocks", forged.path(kBlocks)));
}

TEST(Verify, NamesADegreeAboveTheBound) {
  Forged forged;
  forged.change_manifest([](layout::Manifest& manifest) { manifest.segments[0].degree_max = 2; });
  EXPECT_TRUE(names(forged.verify(), "out-degree", forged.path(kBlocks)));
}

TEST(Verify, NamesASelfEdge) {
  Forged forged;
  const auto slots = forged.segment().slots_per_block;
  forged.forge_block(4, [&](std::vector<Forged::Node>& nodes) {
    auto& targets = nodes[1].targets;
    const std::uint32_t self = 4 * slots + 1;
    targets.back() = self;
    std::ranges::sort(targets);
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  });
  const auto report = forged.verify();
  EXPECT_TRUE(names(report, "itself", forged.path(kBlocks), 4));
}

TEST(Verify, NamesEdgesThatNavigationDoesNotHave) {
  Forged forged;
  forged.forge_block(6, [](std::vector<Forged::Node>& nodes) { nodes[0].targets.pop_back(); });
  const auto report = forged.verify();
  EXPECT_TRUE(names(report, forged.path(layout::Role::nav), forged.path(kBlocks), 6));
  EXPECT_TRUE(names(report, "edges in the blocks", forged.path(kBlocks)));
}

TEST(Verify, NamesALabelThatTheLabelsFileDoesNotGive) {
  Forged forged;
  forged.forge_block(5, [](std::vector<Forged::Node>& nodes) { nodes[2].label ^= 1u << 30; });
  EXPECT_TRUE(names(forged.verify(), "labels", forged.path(kBlocks)));
  Forged swapped;
  swapped.forge_block(
      5, [](std::vector<Forged::Node>& nodes) { std::swap(nodes[0].label, nodes[1].label); });
  EXPECT_TRUE(names(swapped.verify(), "labels", swapped.path(kBlocks)));
}

TEST(Verify, NamesLabelsThatDoNotAscendAcrossLeaves) {
  Forged forged;
  const auto leaf_of = [&](std::uint64_t page) {
    std::vector<std::byte> bytes(4096);
    std::ifstream file(forged.path(layout::Role::labels), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(page * 4096));
    file.read(reinterpret_cast<char*>(bytes.data()), 4096);
    return must(layout::decode_label_leaf(bytes));
  };
  const auto second = leaf_of(2);
  forged.forge(layout::Role::labels, 1, [&](std::span<std::byte> page) {
    layout::encode_label_leaf(second.labels, second.slots, page.first<4096>());
  });
  const auto report = forged.verify();
  EXPECT_TRUE(names(report, "across leaves", forged.path(layout::Role::labels), 2));
  EXPECT_TRUE(names(report, "inner page", forged.path(layout::Role::labels)));
}

TEST(Verify, NamesVectorsOutOfReach) {
  Forged forged;
  // Every edge is cut: only the entry points are left.
  const auto blocks = forged.segment().slot_count / forged.segment().slots_per_block;
  for (std::uint64_t block = 0; block + 1 < blocks; ++block)
    forged.forge_block(block, [](std::vector<Forged::Node>& nodes) {
      for (Forged::Node& node : nodes) node.targets.clear();
    });
  const auto index = must(Index::open(forged.folder()));
  VerifyOptions all;
  all.problems_max = 100'000;
  const auto report = must(index->verify(all));
  EXPECT_GT(report.unreachable, 1000u);
  EXPECT_GT(report.without_in_edge, 2000u);
  EXPECT_TRUE(names(report, "out of reach", forged.path(kBlocks)));
  EXPECT_TRUE(names(report, "without an in-edge", forged.path(kBlocks)));
}

}  // namespace
}  // namespace cairn::search::testing
