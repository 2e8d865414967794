// An index on a file system that fails: whatever strikes, an answer is right or an error.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "engine/build/builder_fs.h"
#include "engine/search/open_index.h"
#include "io/forwarding_fs.h"
#include "io/os_error.h"
#include "layout/manifest.h"
#include "tests/engine/search/search_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::search::testing {
namespace {

constexpr char kFolder[] = "index";
constexpr std::uint64_t kRows = 600;

const Rows& rows() {
  static const Rows made = build::random_rows(kRows, 8, DType::u8, 3);
  return made;
}

void build_on(io::Fs& fs) {
  BuildOptions options;
  options.calibration_rows = 0;
  options.degree = 16;
  options.code_bytes = 4;
  options.refine_bytes = 4;
  options.threads = 1;
  auto builder =
      must(build::create_builder(fs, kFolder, rows().dim, rows().dtype, options), "create");
  ASSERT_TRUE(ok(builder->add(rows().batch())));
  must(builder->finish(), "finish");
}

SearchRequest request_of(std::uint64_t row) {
  return {.query = rows().batch().row(row), .k = 5, .list_size = 40};
}

std::vector<SearchResult> right_answers() {
  sim::SimFs fs;
  build_on(fs);
  const auto index = must(search::open_index(fs, kFolder, {}));
  std::vector<SearchResult> results;
  for (std::uint64_t i = 0; i < 60; ++i) results.push_back(must(index->search(request_of(i))));
  return results;
}

TEST(SearchFaults, AnyFailedOperationOfOpenIsAnError) {
  sim::SimFs fs;
  build_on(fs);
  const std::size_t first = fs.operations().size();
  must(search::open_index(fs, kFolder, {}));
  const std::size_t count = fs.operations().size() - first;
  ASSERT_GT(count, 12u);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = fs.operations().size() + i;
    fs.faults().add(sim::FsFault{.when = {.at = at}});
    const auto index = search::open_index(fs, kFolder, {});
    EXPECT_TRUE(fails_with(index, ErrorCode::io)) << "operation " << i;
    fs.faults().clear();
  }
  must(search::open_index(fs, kFolder, {}));
}

TEST(SearchFaults, AnyBadReadOfOpenIsAnErrorThatNamesItsFile) {
  using Kind = sim::ReadFault::Kind;
  sim::SimFs fs;
  build_on(fs);
  const std::uint64_t first = fs.reads();
  must(search::open_index(fs, kFolder, {}));
  const std::uint64_t count = fs.reads() - first;
  ASSERT_GT(count, 8u);
  const auto expected = right_answers();
  for (const Kind kind : {Kind::error, Kind::early_end, Kind::bit_flip, Kind::zeros, Kind::torn}) {
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      fs.faults().add(sim::ReadFault{.when = {.at = fs.reads() + i}, .kind = kind});
      const auto index = search::open_index(fs, kFolder, {});
      fs.faults().clear();
      if (index) {
        // A fault in bytes that nothing uses.
        for (std::uint64_t row = 0; row < 5; ++row)
          EXPECT_TRUE(same_answer(must((*index)->search(request_of(row))), expected[row]));
        continue;
      }
      ++refused;
      EXPECT_TRUE(index.error().code == ErrorCode::corrupt || index.error().code == ErrorCode::io)
          << index.error().to_string();
      EXPECT_NE(index.error().file.find(kFolder), std::string::npos) << index.error().to_string();
    }
    EXPECT_GT(refused, count / 3) << count << " reads, " << sim::read_fault_name(kind);
  }
}

TEST(SearchFaults, AnswersUnderBadReadsAreRightOrErrors) {
  using Kind = sim::ReadFault::Kind;
  const auto expected = right_answers();
  for (const Kind kind : {Kind::error, Kind::early_end, Kind::wrong_block, Kind::bit_flip,
                          Kind::zeros, Kind::torn, Kind::late})
    for (const bool batch : {false, true}) {
      SCOPED_TRACE(std::string(sim::read_fault_name(kind)) + (batch ? ", batch" : ""));
      sim::SimFs fs(17);
      build_on(fs);
      const auto index = must(search::open_index(fs, kFolder, {}));
      const auto run = [&] {
        std::vector<SearchRequest> requests;
        for (std::uint64_t i = 0; i < expected.size(); ++i) requests.push_back(request_of(i));
        if (batch) return index->search_batch(requests, {.reads_in_flight = 8});
        std::vector<Result<SearchResult>> results;
        for (const SearchRequest& request : requests) results.push_back(index->search(request));
        return results;
      };
      fs.faults().add(sim::ReadFault{.when = {.probability = 0.05, .sticky = true}, .kind = kind});
      std::size_t failed = 0;
      const auto results = run();
      for (std::size_t i = 0; i < results.size(); ++i) {
        failed += results[i] ? 0 : 1;
        EXPECT_TRUE(!results[i] || same_answer(*results[i], expected[i])) << i;
      }
      EXPECT_LT(failed, expected.size());
      // Late reads and reads that a second attempt heals fail nothing.
      const bool heals = kind == Kind::late || kind == Kind::error || kind == Kind::early_end;
      EXPECT_TRUE(heals || failed > 0);
      fs.faults().clear();
      const auto healed = run();
      for (std::size_t i = 0; i < healed.size(); ++i)
        EXPECT_TRUE(healed[i] && same_answer(*healed[i], expected[i])) << i;
    }
}

/// A lost read costs the searches on its ring an error, never a wait without end, and no other.
TEST(SearchFaults, AReadThatNeverComesBackFailsTheSearchesUnderWay) {
  const auto expected = right_answers();
  sim::SimFs fs(5);
  build_on(fs);
  const auto index = must(search::open_index(fs, kFolder, {}));
  const sim::ReadFault all_lost{.when = {.sticky = true}, .kind = sim::ReadFault::Kind::lost};
  for (const std::uint64_t skip : {0u, 3u, 11u}) {
    fs.faults().add(sim::ReadFault{.when = {.skip = skip}, .kind = sim::ReadFault::Kind::lost});
    std::vector<SearchRequest> requests;
    for (std::uint64_t i = 0; i < expected.size(); ++i) requests.push_back(request_of(i));
    const auto results = index->search_batch(requests, {.reads_in_flight = 8});
    fs.faults().clear();
    std::size_t failed = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(!results[i] || same_answer(*results[i], expected[i])) << i;
      if (results[i]) continue;
      ++failed;
      EXPECT_TRUE(fails_with(results[i], ErrorCode::io));
      EXPECT_TRUE(results[i].error().file.ends_with(".blocks")) << results[i].error().to_string();
    }
    EXPECT_GT(failed, 0u);
    EXPECT_GT(fs.complete_left_behind(), 0u);
    fs.faults().add(all_lost);
    EXPECT_TRUE(fails_with(index->explain(request_of(1)), ErrorCode::io));
    fs.faults().clear();
    EXPECT_GT(fs.complete_left_behind(), 0u);
    EXPECT_TRUE(same_answer(must(index->search(request_of(0))), expected[0]));
  }
  fs.faults().add(all_lost);
  EXPECT_TRUE(fails_with(search::open_index(fs, kFolder, {}), ErrorCode::io)) << "while it loads";
}

/// A file system whose rings are lost once their reads have come back, without a word.
class LosingRings final : public io::ForwardingFs {
 public:
  using io::ForwardingFs::ForwardingFs;
  Result<std::unique_ptr<io::Device>> make_device(std::span<const io::ReadFile* const> files,
                                                  const io::DeviceOptions& options,
                                                  std::string* reason) override {
    CAIRN_ASSIGN(auto made, io::ForwardingFs::make_device(files, options, reason));
    return std::make_unique<Losing>(std::move(made));
  }

 private:
  class Losing final : public io::Device {
   public:
    explicit Losing(std::unique_ptr<io::Device> to) : to_(std::move(to)) {}
    std::uint32_t depth() const override { return to_->depth(); }
    std::uint32_t in_flight() const override { return to_->in_flight(); }
    Result<std::uint32_t> submit(std::span<const io::ReadOp> ops) override {
      if (!usable_) return fail(io::os_error(EIO, "submit to io_uring", ""));
      return to_->submit(ops);
    }
    Result<std::uint32_t> reap(std::span<io::ReadDone> done, std::uint32_t wait_min,
                               std::int64_t timeout_us) override {
      auto reaped = to_->reap(done, wait_min, timeout_us);
      usable_ = usable_ && to_->in_flight() > 0;
      return reaped;
    }
    io::Backend backend() const override { return to_->backend(); }
    bool stuck() const override { return to_->stuck(); }
    bool drain() override { return to_->drain(); }
    bool usable() const override { return usable_; }

   private:
    std::unique_ptr<io::Device> to_;
    bool usable_ = true;
  };
};

TEST(SearchFaults, ARingThatWasLostAfterTheLastSearchIsReplaced) {
  const auto expected = right_answers();
  sim::SimFs disk(5);
  build_on(disk);
  LosingRings fs(disk);
  const auto index = must(search::open_index(fs, kFolder, {}));
  std::size_t failed = 0;
  for (std::uint64_t i = 0; i < expected.size(); ++i) {
    const auto result = index->search(request_of(i));  // of one round of reads
    failed += result ? 0 : 1;
    EXPECT_TRUE(!result || same_answer(*result, expected[i])) << i;
  }
  EXPECT_EQ(failed, 0u);
}

TEST(SearchFaults, VerifyReportsBadReadsAsProblems) {
  sim::SimFs fs;
  build_on(fs);
  const auto index = must(search::open_index(fs, kFolder, {}));
  EXPECT_TRUE(must(index->verify()).ok());
  const std::uint64_t first = fs.reads();
  must(index->verify());
  const std::uint64_t count = fs.reads() - first;
  for (std::uint64_t i = 0; i < count; ++i) {
    fs.faults().add(sim::ReadFault{.when = {.at = fs.reads() + i}, .error = EIO});
    const auto report = must(index->verify());
    EXPECT_FALSE(report.ok()) << "read " << i;
    fs.faults().clear();
  }
}

/// A file system on which a writer publishes the next sequence each time a reader is about to pin.
class BusyFs final : public io::Fs {
 public:
  BusyFs(sim::SimFs& fs, int times) : fs_(fs), left_(times) {}

  Result<std::unique_ptr<io::FileLock>> pin(const std::string& path,
                                            std::uint64_t sequence) override {
    if (left_-- > 0) publish();
    return fs_.pin(path, sequence);
  }

  using Path = const std::string&;
  Result<std::unique_ptr<io::WriteFile>> create(Path path, io::WriteMode mode) override {
    return fs_.create(path, mode);
  }
  Result<std::unique_ptr<io::WriteFile>> reopen(Path path, std::uint64_t length,
                                                io::WriteMode mode) override {
    return fs_.reopen(path, length, mode);
  }
  Result<std::unique_ptr<io::ReadFile>> open(Path path, bool direct) override {
    return fs_.open(path, direct);
  }
  Status make_dir(Path path) override { return fs_.make_dir(path); }
  Status rename(Path from, Path to) override { return fs_.rename(from, to); }
  Status rename_new(Path from, Path to) override { return fs_.rename_new(from, to); }
  Status sync_dir(Path path) override { return fs_.sync_dir(path); }
  Status remove(Path path) override { return fs_.remove(path); }
  Result<bool> exists(Path path) override { return fs_.exists(path); }
  Result<std::vector<std::string>> list(Path path) override { return fs_.list(path); }
  Result<std::uint64_t> file_bytes(Path path) override { return fs_.file_bytes(path); }
  Result<std::uint64_t> free_bytes(Path folder) override { return fs_.free_bytes(folder); }
  Result<std::unique_ptr<io::FileLock>> lock(Path path) override { return fs_.lock(path); }
  Result<bool> is_pinned(Path path, std::uint64_t sequence) override {
    return fs_.is_pinned(path, sequence);
  }
  Result<bool> is_any_pinned(Path path, std::uint64_t end) override {
    return fs_.is_any_pinned(path, end);
  }
  Result<std::unique_ptr<io::Device>> make_device(std::span<const io::ReadFile* const> files,
                                                  const io::DeviceOptions& options,
                                                  std::string* reason) override {
    return fs_.make_device(files, options, reason);
  }

 private:
  void publish() {
    const std::string path = std::string(kFolder) + "/" + layout::kManifestName;
    auto manifest = must(layout::decode_manifest(fs_.bytes(path)));
    ++manifest.header.sequence;
    fs_.set_bytes(path, layout::encode_manifest(manifest));
  }

  sim::SimFs& fs_;
  int left_;
};

TEST(SearchFaults, OpeningFollowsAManifestThatMovesOn) {
  const std::string pins = std::string(kFolder) + "/" + layout::kPinsName;
  sim::SimFs fs;
  build_on(fs);
  BusyFs busy(fs, 3);
  const auto index = must(search::open_index(busy, kFolder, {}));
  EXPECT_TRUE(must(fs.is_pinned(pins, 4)));
  for (const std::uint64_t passed : {1u, 2u, 3u}) EXPECT_FALSE(must(fs.is_pinned(pins, passed)));
  EXPECT_TRUE(index->search(request_of(0)));
  BusyFs restless(fs, 1000);
  EXPECT_TRUE(fails_with(search::open_index(restless, kFolder, {}), ErrorCode::busy));
}

}  // namespace
}  // namespace cairn::search::testing
