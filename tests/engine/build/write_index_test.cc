#include "engine/build/write_index.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "engine/build/pack.h"
#include "engine/math/distance.h"
#include "tests/engine/build/test_job.h"

namespace cairn::build {
namespace {

BuildOptions options_of(Metric metric, std::uint64_t seed) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.metric = metric;
  options.degree = 8;
  options.nav_edges = 8;
  options.seed = seed;
  return options;
}

std::vector<Label> random_labels(std::uint64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Label> labels(count);
  for (std::uint64_t i = 0; i < count; ++i) labels[i] = i * 1000 + random() % 1000;
  std::shuffle(labels.begin(), labels.end(), random);
  return labels;
}

/// Scattered vectors in any order, a ring for a graph: writing does not mind.
class Parts {
 public:
  Parts(const std::string& folder, std::uint64_t count, std::uint32_t dim, Metric metric,
        std::uint64_t seed, std::uint32_t cells = 1)
      : rows_(random_rows(count, dim, DType::u8, seed)),
        labels_(random_labels(count, seed)),
        test_(io::posix_fs(), folder, rows_, options_of(metric, seed), labels_),
        shape_(choose_shape(dim, metric == Metric::cosine, 12)) {
    test_.partition(cells);
    place(seed);
    books_ = train_codes({test_.sample().rows.data(), test_.sample().count, dim, DType::u8},
                         {.metric = metric, .code_bytes = dim}, job().workers);
    write_graph();
    entries_ = {{slots_.front()}, {0, 1}, {slots_.front()}};
  }

  const Job& job() { return test_.job(); }
  TestJob& test() { return test_; }
  const Rows& rows() const { return rows_; }
  std::span<const Label> labels() const { return labels_; }
  const Codebooks& books() const { return books_; }
  Result<layout::Manifest> write(std::uint64_t window_bytes = 1 << 20) {
    return write_index(job(), {.scattered = test_.scattered(),
                               .plan = plan_,
                               .slot_of_row = slot_of_row_,
                               .graph = *graph_,
                               .pins = pins_,
                               .shape = shape_,
                               .books = books_,
                               .entries = entries_,
                               .index_id = 77,
                               .edges = rows_.count() > 1 ? rows_.count() : 0,
                               .dropped = 3,
                               .window_bytes = window_bytes});
  }

 private:
  void place(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const Scattered& scattered = test_.scattered();
    std::vector<LinkedCell> linked(scattered.cells());
    std::vector<std::vector<std::uint32_t>> held(scattered.cells());
    for (std::uint32_t c = 0; c < scattered.cells(); ++c) {
      const std::size_t record = scattered.shape().bytes(Copy::core);
      EXPECT_TRUE(ok(scattered.read(Copy::core, c, [&](std::span<const std::byte> records) {
        for (; !records.empty(); records = records.subspan(record))
          held[c].push_back(RecordShape::row(records.data()));
      })));
      std::shuffle(held[c].begin(), held[c].end(), random);
      linked[c].cores = held[c].size();
    }
    plan_ = SlotPlan(linked, shape_);
    slot_of_row_.resize(rows_.count());
    for (std::uint32_t c = 0; c < scattered.cells(); ++c)
      for (std::uint32_t i = 0; i < held[c].size(); ++i) {
        slots_.push_back(static_cast<std::uint32_t>(plan_.begin(c)) + i);
        slot_of_row_[held[c][i]] = slots_.back();
      }
  }
  void write_graph() {
    const ListShape lists = ListShape::of(8, plan_.total(), shape_);
    graph_.emplace(job().temp, plan_, lists);
    std::size_t next = 0;
    for (std::uint32_t cell = 0; cell < plan_.cells(); ++cell) {
      auto writer = must(job().temp.create(GraphFiles::name(cell)));
      const auto [first, last] = graph_->chunks_of(cell);
      for (std::uint32_t chunk = first; chunk < last; ++chunk) {
        Graph graph(graph_->count(chunk), 8);
        const std::uint64_t begin = graph_->first_slot(chunk);
        for (; slots_.size() > 1 && next < slots_.size() && slots_[next] < begin + graph.count();
             ++next) {
          graph.degree[slots_[next] - begin] = 1;
          graph.edges[(slots_[next] - begin) * 8] = slots_[(next + 1) % slots_.size()];
        }
        EXPECT_TRUE(ok(writer.append_stream(ListChunk::encode(lists, graph, job().workers))));
      }
      must(writer.finish());
    }
    EXPECT_TRUE(slots_.size() == 1 || next == slots_.size());
  }

  Rows rows_;
  std::vector<Label> labels_;
  TestJob test_;
  layout::BlockShape shape_;
  SlotPlan plan_;
  std::vector<std::uint32_t> slots_, slot_of_row_;  // slots_: those that hold a vector
  std::optional<GraphFiles> graph_;
  Pins pins_;
  Codebooks books_;
  layout::Entries entries_;
};

/// The index files of a folder in which there is more.
std::map<std::string, std::vector<std::byte>> index_files(const std::string& folder) {
  auto files = read_files(folder);
  std::erase_if(files, [](const auto& file) {
    return file.first == kJournalName || file.first.ends_with(kTemporarySuffix);
  });
  return files;
}

TEST(WriteIndex, WritesWhatReadsBack) {
  const ScratchDir dir;
  for (const std::uint32_t cells : {1U, 3U})
    for (const std::uint64_t count : {1U, 63U, 64U, 65U, 5000U}) {
      if (cells > count) continue;
      SCOPED_TRACE(std::to_string(count) + " vectors in " + std::to_string(cells) + " cells");
      const std::string folder = dir.file(std::to_string(count) + "-" + std::to_string(cells));
      Parts parts(folder, count, 6, Metric::l2, count, cells);
      const layout::Manifest manifest = must(parts.write());
      EXPECT_TRUE(ok(verify_written(io::posix_fs(), folder)));
      const StoredIndex index = read_index(folder);
      expect_whole(index, parts.rows(), parts.labels());
      EXPECT_EQ(index.manifest.header.checksum, manifest.header.checksum);
      EXPECT_EQ(manifest.segments[0].dropped_edges, 3U);
      EXPECT_EQ(manifest.segments[0].slot_count % manifest.segments[0].slots_per_block, 0U);
      EXPECT_EQ(manifest.extents.size(), parts.test().cells().count());
      EXPECT_EQ(manifest.find(1, layout::Role::refine), nullptr);
      // The codes stand in slot order, and those of empty places are zero.
      const std::size_t at = sizeof(layout::CodesHeader) + 256 * 6 * 4;
      ASSERT_EQ(index.codes.size(), at + index.occupied.size() * 6);
      for (std::size_t s = 0; s < index.occupied.size(); ++s) {
        std::vector<std::byte> expected(6);
        if (index.occupied[s])
          expected = encode_rows(parts.books(), Metric::l2,
                                 {index.vectors[s].data(), 1, 6, DType::u8}, Workers(1))
                         .base;
        EXPECT_EQ(std::memcmp(index.codes.data() + at + s * 6, expected.data(), 6), 0) << s;
      }
    }
}

TEST(WriteIndex, TakesAWindowOfVectorsAtATime) {
  const ScratchDir dir;
  std::vector<std::map<std::string, std::vector<std::byte>>> made;
  for (const std::uint64_t window : {0U, 300'000U, 1U << 30}) {
    const std::string folder = dir.file(std::to_string(window));
    Parts parts(folder, 50'000, 2, Metric::l2, 5, 1);
    must(parts.write(window));
    made.push_back(index_files(folder));
  }
  EXPECT_TRUE(made[0] == made[2]);
  EXPECT_TRUE(made[1] == made[2]);
  const StoredIndex index = read_index(dir.file("0"));
  EXPECT_EQ(index.slot_of_label.size(), 50'000U);
  for (const auto& [label, slot] : index.slot_of_label) ASSERT_EQ(index.labels[slot], label);
}

TEST(WriteIndex, StoresInverseNormsForCosine) {
  const ScratchDir dir;
  Parts parts(dir.file("index"), 100, 6, Metric::cosine, 1);
  must(parts.write());
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
  Parts parts(dir.file("index"), count, 1, Metric::l2, 2);
  must(parts.write());
  const StoredIndex index = read_index(dir.file("index"));
  ASSERT_EQ(index.slot_of_label.size(), count);
  for (const auto& [label, slot] : index.slot_of_label) ASSERT_EQ(index.labels[slot], label);
}

TEST(WriteIndex, ReportsProgressThatOnlyGrows) {
  const ScratchDir dir;
  Parts parts(dir.file("index"), 40'000, 3, Metric::l2, 3, 3);
  std::map<std::string, std::uint64_t> last;
  parts.test().job().tick = [&](const char* phase, std::uint64_t done, std::uint64_t all) {
    EXPECT_LE(done, all);
    EXPECT_GE(done, last[phase]) << phase;
    last[phase] = done;
    return true;
  };
  const auto manifest = must(parts.write());
  EXPECT_EQ(last.at("write"), manifest.segments[0].slot_count);
  EXPECT_TRUE(last.contains("navigation"));
}

TEST(WriteIndex, GoesOnWhereItWasCancelled) {
  const ScratchDir dir;
  {
    Parts parts(dir.file("whole"), 2000, 6, Metric::l2, 4, 4);
    must(parts.write());
  }
  const auto whole = index_files(dir.file("whole"));
  Parts parts(dir.file("index"), 2000, 6, Metric::l2, 4, 4);
  std::uint64_t stopped = 0;
  for (;; ++stopped) {
    ASSERT_LT(stopped, 100U);
    std::uint64_t calls = 0;
    // Every run goes one step further than the last.
    parts.test().job().tick = [&](const char*, std::uint64_t, std::uint64_t) {
      return calls++ < stopped;
    };
    const auto written = parts.write();
    if (written) break;
    ASSERT_EQ(written.error().code, ErrorCode::cancelled) << written.error().to_string();
    EXPECT_FALSE(std::filesystem::exists(dir.file("index/MANIFEST")));
  }
  EXPECT_GT(stopped, 0U);
  EXPECT_TRUE(index_files(dir.file("index")) == whole);
}

class Damage : public ::testing::TestWithParam<const char*> {};

TEST_P(Damage, IsSeenByTheReadBack) {
  const ScratchDir dir;
  Parts parts(dir.file("index"), 3000, 6, Metric::l2, 5);
  must(parts.write());
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
