#include "tests/reliability/fault_builds.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "engine/build/builder_fs.h"
#include "engine/guarded.h"
#include "layout/manifest.h"
#include "tests/engine/build/small_build.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_rows.h"
#include "tools/formats/vector_reader.h"
#include "tools/import/open_index_file.h"

namespace cairn::reliability {
namespace {

namespace stdfs = std::filesystem;

const FaultRows& rows() {
  static const FaultRows made;
  return made;
}

/// What reads files of others throws where memory ends: the program catches that in one place, see
/// tools/cli.cc.
template <class Call>
auto caught(const Call& call) {
  return guarded("read", call);
}

/// What is wrong with an index whose bytes nobody knows.
std::string unsound(const std::string& folder) {
  const auto index = Index::open(folder);
  if (!index) return "another index: " + index.error().to_string();
  const auto report = (*index)->verify();
  if (!report) return "another index: " + report.error().to_string();
  return report->ok() ? "" : "another index: " + report->problems.front().to_string();
}

/// A build of whatever kind: published whole and as always, or not at all.
class BuildWorkload : public Workload {
 public:
  explicit BuildWorkload(const std::string& scratch) : folder_(scratch + "/built") {}

  void prepare() override {
    stdfs::remove_all(folder_);
    stdfs::remove_all(folder_ + ".building");
    begin();
    if (!expected_.empty()) return;
    if (auto report = build(); !report) give_up(report.error());
    expected_ = files_of(folder_);
    BuildWorkload::prepare();
  }
  std::string attempt() override {
    const auto report = during([this] { return build(); });
    std::string unclean = report ? "" : note(report.error());
    if (!unclean.empty()) return unclean;
    if (!broken_promise_.empty()) return broken_promise_;
    if (!stdfs::exists(folder_)) return report ? "a report and no index" : "";
    return wrong_files();
  }

 protected:
  std::string redo() override {
    // Published is published, whatever was said of it.
    if (!stdfs::exists(folder_)) {
      const auto report = build();
      if (!report) return note(report.error());
    }
    if (!broken_promise_.empty()) return broken_promise_;
    if (std::string wrong = wrong_files(); !wrong.empty()) return wrong;
    return stdfs::exists(folder_ + ".building") ? "a work folder is left" : "";
  }
  virtual Result<BuildReport> build() = 0;
  /// Whether what was read may have been wrong where nobody can tell.
  virtual bool may_differ() const { return false; }
  BuildOptions options() const {
    BuildOptions with = calibrated_build();
    with.read_timeout_ms = read_timeout_ms_;
    return with;
  }
  const std::string folder_;
  std::string broken_promise_;  // what a builder did not keep to, beside its errors

 private:
  std::string wrong_files() const {
    if (files_of(folder_) == expected_) return {};
    return may_differ() ? unsound(folder_) : "another index";
  }
  std::map<std::string, std::string> expected_;
};

class SourceBuild final : public BuildWorkload {
 public:
  using BuildWorkload::BuildWorkload;
  std::string name() const override { return "build"; }
  std::uint64_t points_every() const override { return kPointsEveryOfRecall; }

 private:
  Result<BuildReport> build() override { return build_index(folder_, source_, options()); }
  FaultRows source_;
};

/// With vectors that are handed in batch by batch, and kept in a spool: a builder that comes after
/// one that failed is given those that it says it has not.
class BatchBuild : public BuildWorkload {
 public:
  using BuildWorkload::BuildWorkload;
  std::string name() const override { return "build by batches"; }
  void prepare() override {
    handed_in_ = acknowledged_ = 0;
    broken_promise_.clear();
    BuildWorkload::prepare();
    // What came before was the build that all others are held against.
    handed_in_ = acknowledged_ = 0;
  }

 protected:
  static constexpr std::uint64_t kBatchRows = 70;
  static constexpr std::uint64_t kLostRowsMax = 100;  // of what was acknowledged: synced beyond

  Result<std::unique_ptr<Builder>> create() const {
    BuildOptions with = options();
    with.calibration_rows = 0;
    return build::create_builder(io::posix_fs(), folder_, FaultRows::kDim, DType::u8, with,
                                 kLostRowsMax * FaultRows::kDim);
  }
  /// Adds up to row `end`.
  Status add(Builder& builder, std::uint64_t end) {
    for (std::uint64_t row = builder.added(); row < end; row += kBatchRows) {
      const std::uint64_t count = std::min(kBatchRows, end - row);
      handed_in_ = std::max(handed_in_, row + count);
      CAIRN_TRY(builder.add(rows().batch(row, count), rows().labels().subspan(row, count)));
      if (builder.added() != row + count) broken_promise_ = "a wrong number of added vectors";
      acknowledged_ = std::max(acknowledged_, row + count);
    }
    return {};
  }
  Result<BuildReport> build() override {
    CAIRN_ASSIGN(auto builder, create());
    const std::uint64_t kept = builder->added();
    if (kept > handed_in_)
      broken_promise_ = "more vectors than were handed in";
    else if (acknowledged_ >= kept + kLostRowsMax)
      broken_promise_ = "vectors that were acknowledged are lost";
    CAIRN_TRY(add(*builder, FaultRows::kCount));
    return builder->finish();
  }
  std::uint64_t handed_in_ = 0, acknowledged_ = 0;
};

/// The same after a builder that was given a part and went.
class BatchesGoOn final : public BatchBuild {
 public:
  explicit BatchesGoOn(const std::string& scratch)
      : BatchBuild(scratch), begun_(scratch + "/spooled") {}
  std::string name() const override { return "build by batches that goes on"; }
  void prepare() override {
    BatchBuild::prepare();
    if (!stdfs::exists(begun_)) {
      spool_a_part();
      stdfs::rename(folder_ + ".building", begun_);
    }
    stdfs::copy(begun_, folder_ + ".building");
    handed_in_ = acknowledged_ = kPartRows;
  }

 private:
  static constexpr std::uint64_t kPartRows = 350;  // the last batch is not synced

  void spool_a_part() {
    auto builder = create();
    if (!builder) give_up(builder.error());
    if (const Status added = add(**builder, kPartRows); !added) give_up(added.error());
  }
  const std::string begun_;
};

class ImportBuild final : public BuildWorkload {
 public:
  using BuildWorkload::BuildWorkload;
  std::string name() const override { return "import"; }

 private:
  Result<BuildReport> build() override {
    CAIRN_ASSIGN(const auto source, caught([this]() -> Result<std::unique_ptr<tools::IndexSource>> {
                   CAIRN_ASSIGN(auto reader, tools::open_index_file(file_));
                   return tools::IndexSource::create(file_.path, std::move(reader),
                                                     {.edges = true});
                 }));
    BuildOptions with = options();
    with.keep_edges = true;
    with.calibration_rows = 0;
    return build_index(folder_, *source, with);
  }
  const tools::IndexFile file_{.path = std::string(CAIRN_GOLDEN) + "/hnswlib/deleted.hnsw",
                               .dim = 2,
                               .dtype = DType::f32,
                               .metric = Metric::l2};
  /// A file of hnswlib has no checksums: nobody can tell one part of it from another.
  bool may_differ() const override { return judge().misread(file_.path); }
};

/// A build that was cut off before, and goes on.
class GoingOn final : public BuildWorkload {
 public:
  explicit GoingOn(const std::string& scratch)
      : BuildWorkload(scratch), begun_(scratch + "/begun") {}
  std::string name() const override { return "build that goes on"; }
  std::uint64_t points_every() const override { return kPointsEveryOfRecall; }
  void prepare() override {
    BuildWorkload::prepare();
    if (!stdfs::exists(begun_)) build_half();
    stdfs::copy(begun_, folder_ + ".building");
  }

 private:
  void build_half() {
    BuildOptions with = options();
    with.progress = [](const BuildProgress& progress) {
      return progress.phase != "write" || progress.done == 0;
    };
    if (build_index(folder_, source_, with)) give_up({.what = "a build was not cut off"});
    stdfs::rename(folder_ + ".building", begun_);
    // As of a kill behind the last record: bytes that nobody vouches for.
    for (const auto& entry : stdfs::directory_iterator(begun_))
      if (entry.path().extension() == ".blocks")
        std::ofstream(entry.path(), std::ios::binary | std::ios::app) << "torn";
  }
  Result<BuildReport> build() override { return build_index(folder_, source_, options()); }
  const std::string begun_;
  FaultRows source_;
};

/// Files of vectors, plain and packed, read as a build reads them.
class ReadVectors final : public Workload {
 public:
  explicit ReadVectors(const std::string& scratch)
      : plain_(scratch + "/rows-idx2-ubyte"),
        packed_(plain_ + ".gz"),
        folder_(scratch + "/x.fbin") {
    // IDX: bytes, two dimensions, both big-endian.
    std::string file({0, 0, 8, 2, 0, 0, static_cast<char>(FaultRows::kCount >> 8),
                      static_cast<char>(FaultRows::kCount & 255), 0, 0, 0, FaultRows::kDim});
    file.append(static_cast<const char*>(rows().batch().data), FaultRows::kCount * FaultRows::kDim);
    std::ofstream(plain_, std::ios::binary) << file;
    gzFile packed = gzopen(packed_.c_str(), "wb");
    gzwrite(packed, file.data(), static_cast<unsigned>(file.size()));
    gzclose(packed);
    stdfs::create_directory(folder_);
  }
  std::string name() const override { return "read vectors"; }
  void prepare() override { begin(); }
  std::string attempt() override {
    if (during([this] { return caught([this] { return formats::VectorReader::open(folder_); }); }))
      return "a folder for a file";
    for (const std::string& path : {plain_, packed_})
      if (std::string wrong = read(path); !wrong.empty()) return wrong;
    return {};
  }

 private:
  std::string redo() override { return attempt(); }
  std::string read(const std::string& path) {
    auto reader = during([&] {
      return caught([&] { return formats::VectorReader::open(path, formats::PageCache::drop); });
    });
    if (!reader) return note(reader.error());
    std::vector<std::byte> into(FaultRows::kCount * FaultRows::kDim);
    for (const std::uint64_t first : {std::uint64_t{0}, FaultRows::kCount / 2}) {
      const Status there = during([&] { return caught([&] { return (*reader)->seek(first); }); });
      if (!there) return note(there.error());
      const auto count = during([&] { return caught([&] { return (*reader)->read(into); }); });
      if (!count) return note(count.error());
      if (*count != FaultRows::kCount - first ||
          std::memcmp(into.data(), rows().row(first).data, *count * FaultRows::kDim) != 0)
        return "other rows";
    }
    return {};
  }
  const std::string plain_, packed_, folder_;
};

}  // namespace

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : stdfs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "LOCK" || name == "JOURNAL" || name == layout::kWriterLockName) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

BuildOptions calibrated_build() {
  BuildOptions options = build::small_build(2);
  options.nav_edges = 8;
  options.calibration_rows = 8;
  return options;
}

void add_builds(const std::string& scratch, std::vector<std::unique_ptr<Workload>>& all) {
  all.push_back(std::make_unique<SourceBuild>(scratch));
  all.push_back(std::make_unique<BatchBuild>(scratch));
  all.push_back(std::make_unique<BatchesGoOn>(scratch));
  all.push_back(std::make_unique<ImportBuild>(scratch));
  all.push_back(std::make_unique<GoingOn>(scratch));
  all.push_back(std::make_unique<ReadVectors>(scratch));
}

}  // namespace cairn::reliability
