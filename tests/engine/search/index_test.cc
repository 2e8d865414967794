// An index on disk: opened, searched, fetched from; damaged, and what becomes of it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "layout/manifest.h"
#include "tests/engine/search/search_test_util.h"
#include "tests/io/seccomp.h"

namespace cairn::search::testing {
namespace {

namespace fs = std::filesystem;

double recall(const BuiltIndex& built, const Index& index, std::uint64_t queries) {
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < queries; ++i) {
    const auto request = request_for(built, i * 7);
    const auto exact = exact_answer(built, request);
    const auto result = must(index.search(request));
    for (const Neighbor& neighbor : result.neighbors)
      found +=
          std::ranges::any_of(exact, [&](const Neighbor& n) { return n.label == neighbor.label; });
  }
  return static_cast<double>(found) / static_cast<double>(queries * 10);
}

TEST(Index, FindsTheNearestForEveryElementTypeAndMetric) {
  for (const DType dtype : {DType::u8, DType::i8, DType::f32})
    for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
      SCOPED_TRACE(std::string(dtype_name(dtype)) + " " + std::string(metric_name(metric)));
      const auto built = build_index({.count = 1200, .dtype = dtype, .metric = metric});
      const auto index = open_index(*built);
      EXPECT_GE(recall(*built, *index, 30), metric == Metric::ip ? 0.85 : 0.95);
      const auto result = must(index->search(request_for(*built, 5)));
      const auto exact = exact_answer(*built, request_for(*built, 5));
      EXPECT_NEAR(result.neighbors[0].distance, exact[0].distance, 1e-3);
      EXPECT_TRUE(std::ranges::is_sorted(result.neighbors, {}, &Neighbor::distance));
    }
}

TEST(Index, ReturnsEveryVectorWhenAskedForMore) {
  const auto built = build_index({.count = 40});
  const auto index = open_index(*built);
  const auto result = must(index->search(request_for(*built, 0, 1000)));
  EXPECT_EQ(result.neighbors.size(), 40u);
  EXPECT_EQ(result.stop, Stop::exhausted);
}

TEST(Index, HoldsOneVector) {
  const auto built = build_index({.count = 1});
  const auto index = open_index(*built);
  const auto result = must(index->search(request_for(*built, 0)));
  ASSERT_EQ(result.neighbors.size(), 1u);
  EXPECT_EQ(result.neighbors[0].label, BuiltIndex::label_of(0));
  EXPECT_TRUE(must(index->verify()).ok());
}

TEST(Index, RefusesBadRequests) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  auto request = request_for(built, 0);
  request.k = 0;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument));
  request = request_for(built, 0);
  request.query.dim = 15;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument));
  request = request_for(built, 0);
  request.query.dtype = DType::i8;
  EXPECT_TRUE(fails_with(index->search(request), ErrorCode::invalid_argument));
  request = request_for(built, 0);
  request.recall = 0.95;
  const auto uncalibrated = index->search(request);
  ASSERT_FALSE(uncalibrated);
  EXPECT_EQ(uncalibrated.error().code, ErrorCode::unsupported);
  EXPECT_NE(uncalibrated.error().to_string().find("calibration"), std::string::npos);
}

TEST(Index, RefusesBadOptions) {
  const BuiltIndex& built = shared_index();
  EXPECT_TRUE(fails_with(Index::open(built.folder, {.io_depth = 0}), ErrorCode::invalid_argument));
  EXPECT_TRUE(
      fails_with(Index::open(built.folder, {.io_depth = 2000}), ErrorCode::invalid_argument));
  EXPECT_TRUE(fails_with(Index::open(built.folder, {.io = static_cast<IoBackend>(9)}),
                         ErrorCode::invalid_argument));
}

TEST(Index, GetsStoredVectorsByLabel) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  for (std::uint64_t i = 0; i < built.spec.count; i += 17) {
    const auto vector = must(index->get(BuiltIndex::label_of(i)));
    ASSERT_EQ(vector.size(), built.row(i).bytes());
    EXPECT_EQ(std::memcmp(vector.data(), built.row(i).data, vector.size()), 0) << i;
  }
  for (const Label absent : {Label{0}, Label{1}, ~Label{0}})
    EXPECT_TRUE(fails_with(index->get(absent), ErrorCode::not_found));
}

/// Share of the exact answers of rows 0, 1, ... that was found.
double recall_of(const BuiltIndex& built, const std::vector<SearchResult>& results) {
  std::size_t found = 0, expected = 0;
  for (std::uint64_t i = 0; i < results.size(); ++i) {
    const auto exact = exact_answer(built, request_for(built, i));
    expected += exact.size();
    for (const Neighbor& neighbor : results[i].neighbors)
      found +=
          static_cast<std::size_t>(std::ranges::count(exact, neighbor.label, &Neighbor::label));
  }
  return static_cast<double>(found) / static_cast<double>(expected);
}

TEST(Index, AllBackendsAndLimitsGiveTheAnswersOfTheirLimit) {
  const BuiltIndex& built = shared_index();
  const auto least = smallest_limit(built.folder);
  bool without_uring = false;
  for (const std::uint64_t limit : {std::uint64_t{0}, least, least + 80'000, least + 2'000'000}) {
    OpenOptions options;
    if (limit != 0) options.memory_limit_bytes = limit;
    const auto expected = answers(*open_index(built, options), built, 20);
    for (const IoBackend io : {IoBackend::uring, IoBackend::pread, IoBackend::sync})
      for (const bool direct : {false, true}) {
        options.io = io;
        options.direct = direct;
        auto opened = Index::open(built.folder, options);
        if (!opened && io == IoBackend::uring) {
          without_uring = true;
          continue;
        }
        ASSERT_TRUE(opened) << opened.error().to_string();
        const auto found = answers(**opened, built, 20);
        // With edges on disk the order of arrivals decides what is expanded.
        const IndexStats stats = (*opened)->stats();
        if (stats.nav_edges_loaded < stats.degree_max) {
          EXPECT_GE(recall_of(built, found), 0.95) << limit;
          continue;
        }
        for (std::size_t i = 0; i < found.size(); ++i)
          EXPECT_TRUE(same_answer(found[i], expected[i])) << i << " at " << limit;
      }
  }
  if (without_uring) GTEST_SKIP() << "all but io_uring, which is refused here";
}

TEST(Index, FallsBackToThreadsUnderSeccompAndSaysSoOnce) {
  const BuiltIndex& built = shared_index();
  const auto expected = answers(*open_index(built), built, 30);
  EXPECT_EQ(in_child([&] {
              if (!io::forbid(SYS_io_uring_setup, EPERM)) return 1;
              int lines = 0;
              OpenOptions options;
              options.log = [&](const std::string&) { ++lines; };
              const auto index = open_index(built, options);
              if (index->stats().io_backend != "pread") return 2;
              const auto found = answers(*index, built, 30);
              for (std::size_t i = 0; i < found.size(); ++i)
                if (!same_answer(found[i], expected[i])) return 3;
              std::thread([&] { answers(*index, built, 3); }).join();
              return lines == 1 ? 0 : 4;
            }),
            0);
}

TEST(Index, KeepsBudgetsOfReads) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, {.memory_limit_bytes = smallest_limit(built.folder)});
  auto request = request_for(built, 3);
  request.reads_max = 2;
  const auto result = must(index->search(request));
  EXPECT_LE(result.counters.reads, 2u);
  EXPECT_EQ(result.stop, Stop::reads_max);
  request.reads_max = 0;
  request.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(must(index->search(request)).stop, Stop::deadline);
}

TEST(Index, KeepsBudgetsOfReadsOfLargeBlocks) {
  const auto built = build_index({.count = 200, .dim = 5000});
  const auto index = open_index(*built);
  const std::uint32_t reads = index->stats().block_bytes / 4096;  // a block
  ASSERT_GE(reads, 2u);
  for (const std::uint32_t reads_max : {reads - 1, reads, 3 * reads - 1, 5 * reads}) {
    auto request = request_for(*built, 3);
    request.reads_max = reads_max;
    const auto result = must(index->search(request));
    EXPECT_EQ(result.counters.reads, reads_max / reads * reads);
    EXPECT_EQ(result.stop, Stop::reads_max);
    EXPECT_EQ(result.neighbors.empty(), reads_max < reads);
  }
}

TEST(Index, CountsReadsAndCacheHits) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, {.memory_limit_bytes = 64u << 20});
  const auto cold = must(index->search(request_for(built, 3)));
  const auto warm = must(index->search(request_for(built, 3)));
  EXPECT_GT(cold.counters.reads, 0u);
  EXPECT_EQ(warm.counters.reads, 0u);
  EXPECT_GT(warm.counters.cache_hits, 0u);
  EXPECT_TRUE(same_answer(cold, warm));
  auto stats = index->stats();
  EXPECT_EQ(stats.block_reads, cold.counters.reads);
  EXPECT_EQ(stats.cache_misses, cold.counters.reads * 4096 / stats.block_bytes);
  EXPECT_EQ(stats.cache_hits, warm.counters.cache_hits);
  index->drop_cache();
  EXPECT_EQ(must(index->search(request_for(built, 3))).counters.reads, cold.counters.reads);
}

TEST(Index, IsSearchedByManyThreadsAtOnce) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built, {.memory_limit_bytes = 1u << 20});
  const auto expected = answers(*index, built, 40);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 40; ++i) {
        const std::uint64_t row = (i * 7 + static_cast<std::uint64_t>(t) * 11) % 40;
        EXPECT_TRUE(same_answer(must(index->search(request_for(built, row))), expected[row]));
        if (i % 8 == 0) {
          index->drop_cache();
          EXPECT_GT(index->stats().vector_count, 0u);
          EXPECT_FALSE(must(index->get(BuiltIndex::label_of(row))).empty());
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Index, IsOpenedByTwoProcesses) {
  const BuiltIndex& built = shared_index();
  const auto index = open_index(built);
  const auto expected = answers(*index, built, 10);
  EXPECT_EQ(in_child([&] {
              const auto again = open_index(built);
              const auto found = answers(*again, built, 10);
              for (std::size_t i = 0; i < found.size(); ++i)
                if (!same_answer(found[i], expected[i])) return 1;
              return 0;
            }),
            0);
  EXPECT_TRUE(same_answer(must(index->search(request_for(built, 0))), expected[0]));
}

TEST(Index, PinsTheManifestWhileItIsOpen) {
  const BuiltIndex& built = shared_index();
  const std::string pins = built.folder + "/" + layout::kPinsName;
  auto index = open_index(built);
  EXPECT_TRUE(must(io::posix_fs().is_pinned(pins, 1)));
  index.reset();
  EXPECT_FALSE(must(io::posix_fs().is_pinned(pins, 1)));
}

TEST(Index, OpensAReadOnlyFolder) {
  const BuiltIndex& built = shared_index();
  const ScratchDir dir;
  const std::string folder = dir.file("copy");
  copy_folder(built.folder, folder);
  for (const auto& entry : fs::directory_iterator(folder)) ::chmod(entry.path().c_str(), 0400);
  ::chmod(folder.c_str(), 0500);
  const int code = in_child([&] {
    // Root may write anywhere: be somebody else, who owns what is read.
    if (::geteuid() == 0) {
      for (const auto& entry : fs::directory_iterator(folder))
        if (::chown(entry.path().c_str(), 65534, 65534) != 0) return 1;
      if (::chown(folder.c_str(), 65534, 65534) != 0 || ::chmod(dir.path().c_str(), 0711) != 0 ||
          ::setgid(65534) != 0 || ::setuid(65534) != 0)
        return 2;
    }
    const auto index = Index::open(folder);
    if (!index) std::fprintf(stderr, "%s\n", index.error().to_string().c_str());
    return index && (*index)->search(request_for(built, 0)) ? 0 : 3;
  });
  ::chmod(folder.c_str(), 0700);
  EXPECT_EQ(code, 0);
}

// ---- damage -----------------------------------------------------------------------------------

const std::vector<std::string> kRoles = {"blocks", "codes", "refine", "nav", "entries", "labels"};

TEST(Index, RefusesToOpenWithoutOneOfItsFiles) {
  const BuiltIndex& built = shared_index();
  for (const std::string& role : kRoles) {
    const ScratchDir dir;
    copy_folder(built.folder, dir.file("copy"));
    const std::string file = file_of(dir.file("copy"), role);
    fs::remove(file);
    const auto index = Index::open(dir.file("copy"));
    ASSERT_FALSE(index) << role;
    EXPECT_EQ(index.error().code, ErrorCode::not_found);
    EXPECT_EQ(index.error().file, file);
  }
  EXPECT_TRUE(fails_with(Index::open("/no/such/folder"), ErrorCode::not_found));
}

TEST(Index, RefusesToOpenWithAFileOfAnotherLength) {
  const BuiltIndex& built = shared_index();
  for (const std::string& role : kRoles)
    for (const int change : {-4096, -1, 1, 4096}) {
      const ScratchDir dir;
      copy_folder(built.folder, dir.file("copy"));
      const std::string file = file_of(dir.file("copy"), role);
      const auto bytes = static_cast<std::int64_t>(fs::file_size(file)) + change;
      fs::resize_file(file, static_cast<std::uintmax_t>(bytes));
      const auto index = Index::open(dir.file("copy"));
      ASSERT_FALSE(index) << role << change;
      EXPECT_EQ(index.error().code, ErrorCode::corrupt);
      EXPECT_EQ(index.error().file, file);
    }
}

// The same vectors under another seed: every file has the right shape and good checksums.
TEST(Index, RefusesAFileOfAnotherIndex) {
  const BuiltIndex& built = shared_index();
  IndexSpec spec = built.spec;
  spec.seed = 8;
  const auto other = build_index(spec);
  const auto expected = answers(*open_index(built), built, 50);
  for (const std::string& role : kRoles) {
    const ScratchDir dir;
    const std::string folder = dir.file("copy");
    copy_folder(built.folder, folder);
    const auto bytes = fs::file_size(file_of(folder, role));
    fs::copy_file(file_of(other->folder, role), file_of(folder, role),
                  fs::copy_options::overwrite_existing);
    fs::resize_file(file_of(folder, role), bytes);  // the length is not what gives it away
    const auto index = Index::open(folder);
    if (!index) {
      EXPECT_EQ(index.error().code, ErrorCode::corrupt) << role;
      continue;
    }
    EXPECT_TRUE(role == "blocks" || role == "labels") << role;
    if (role == "blocks") {
      EXPECT_TRUE(fails_with((*index)->search(request_for(built, 0)), ErrorCode::corrupt));
    }
    EXPECT_TRUE(fails_with((*index)->get(BuiltIndex::label_of(1)), ErrorCode::corrupt));
    EXPECT_FALSE(must((*index)->verify()).ok());
  }
}

TEST(Index, AFlippedBitIsAnErrorOrChangesNothing) {
  const BuiltIndex& built = shared_index();
  const auto expected = answers(*open_index(built), built, 12);
  const ScratchDir dir;
  const std::string folder = dir.file("copy");
  copy_folder(built.folder, folder);
  std::mt19937_64 random(41);
  std::vector<std::string> files = {folder + "/" + layout::kManifestName};
  for (const std::string& role : kRoles) files.push_back(file_of(folder, role));
  int refused = 0;
  for (const std::string& file : files)
    for (int round = 0; round < 25; ++round) {
      const std::uint64_t byte = random() % fs::file_size(file);
      const auto bit = static_cast<unsigned>(random() % 8);
      SCOPED_TRACE(file + " byte " + std::to_string(byte) + " bit " + std::to_string(bit));
      flip_bit(file, byte, bit);
      const auto index = Index::open(folder);
      if (!index) {
        ++refused;
        EXPECT_NE(index.error().to_string().find(file), std::string::npos)
            << index.error().to_string();
      } else {
        EXPECT_FALSE(must((*index)->verify()).ok());
        for (std::uint64_t i = 0; i < expected.size(); ++i) {
          const auto result = (*index)->search(request_for(built, i));
          if (result) {
            EXPECT_TRUE(same_answer(*result, expected[i]));
          } else {
            EXPECT_EQ(result.error().code, ErrorCode::corrupt);
          }
        }
      }
      flip_bit(file, byte, bit);
    }
  EXPECT_GE(refused, 25 * 4);
  EXPECT_TRUE(must(open_index(built)->verify()).ok());
}

// One damaged block fails the searches that need it, and no other.
TEST(Index, ADamagedBlockFailsOnlyTheSearchesThatReadIt) {
  const BuiltIndex& built = shared_index();
  const auto expected = answers(*open_index(built), built, 60);
  const ScratchDir dir;
  const std::string folder = dir.file("copy");
  copy_folder(built.folder, folder);
  flip_bit(file_of(folder, "blocks"), 5 * 4096 + 700);
  const auto index = must(Index::open(folder));
  int failed = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto result = index->search(request_for(built, i));
    if (result) {
      EXPECT_TRUE(same_answer(*result, expected[i])) << i;
      continue;
    }
    ++failed;
    EXPECT_EQ(result.error().code, ErrorCode::corrupt);
    EXPECT_EQ(result.error().file, file_of(folder, "blocks"));
    EXPECT_EQ(result.error().block, 5u);
  }
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 60);
}

TEST(Index, RefusesANewerFormatByName) {
  const BuiltIndex& built = shared_index();
  const auto bytes = build::read_files(built.folder).at(layout::kManifestName);
  auto manifest = must(layout::decode_manifest(bytes));
  manifest.header.incompatible = std::uint64_t{1} << 40;
  const ScratchDir dir;
  copy_folder(built.folder, dir.file("copy"));
  const std::string path = dir.file("copy") + "/" + layout::kManifestName;
  const auto encoded = layout::encode_manifest(manifest);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(encoded.data()),
             static_cast<std::streamsize>(encoded.size()));
  const auto index = Index::open(dir.file("copy"));
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code, ErrorCode::unsupported);
  EXPECT_EQ(index.error().file, path);
}

}  // namespace
}  // namespace cairn::search::testing
