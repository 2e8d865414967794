#include "tests/reliability/fault_builds.h"

#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "engine/guarded.h"
#include "tests/engine/build/small_build.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/fault_rows.h"
#include "tools/formats/vector_reader.h"
#include "tools/import/open_index_file.h"

namespace cairn::reliability {
namespace {

namespace stdfs = std::filesystem;
using os_faults::Kind;

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

/// Contents by name, but of what a builder leaves between its last rename and its end.
std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : stdfs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "LOCK" || name == "JOURNAL") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
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
  std::string attempt(Kind kind) override {
    const auto report = during([this] { return build(); });
    std::string unclean = report ? "" : note(report.error());
    if (!unclean.empty()) return unclean;
    if (!stdfs::exists(folder_)) return report ? "a report and no index" : "";
    if (files_of(folder_) != expected_ && !may_differ(kind)) return "another index";
    return {};
  }
  std::string again() override {
    if (stdfs::exists(folder_)) return {};
    const auto report = build();
    if (!report) return report.error().to_string();
    if (files_of(folder_) != expected_) return "another index";
    return stdfs::exists(folder_ + ".building") ? "a work folder is left" : "";
  }

 protected:
  virtual Result<BuildReport> build() = 0;
  virtual bool may_differ(Kind) const { return false; }
  BuildOptions options() const {
    BuildOptions with = calibrated_build();
    with.read_timeout_ms = read_timeout_ms_;
    return with;
  }
  const std::string folder_;

 private:
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

/// With vectors that are handed in, and kept in a spool.
class BatchBuild final : public BuildWorkload {
 public:
  using BuildWorkload::BuildWorkload;
  std::string name() const override { return "build by batches"; }

 private:
  Result<BuildReport> build() override {
    BuildOptions with = options();
    with.calibration_rows = 0;
    with.fresh = true;  // what was handed in before is handed in again
    CAIRN_ASSIGN(auto builder, Builder::create(folder_, FaultRows::kDim, DType::u8, with));
    CAIRN_TRY(builder->add(rows().batch(), rows().labels()));
    return builder->finish();
  }
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
  bool may_differ(Kind kind) const override { return kind == Kind::wrong_block; }
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
  std::string attempt(Kind) override {
    if (during([this] { return caught([this] { return formats::VectorReader::open(folder_); }); }))
      return "a folder for a file";
    for (const std::string& path : {plain_, packed_})
      if (std::string wrong = read(path); !wrong.empty()) return wrong;
    return {};
  }
  std::string again() override {
    begin();
    const std::string wrong = attempt(Kind::eio);
    return failed_ && wrong.empty() ? "it fails again: " + last_error_ : wrong;
  }

 private:
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

BuildOptions calibrated_build() {
  BuildOptions options = build::small_build(2);
  options.nav_edges = 8;
  options.calibration_rows = 8;
  return options;
}

void add_builds(const std::string& scratch, std::vector<std::unique_ptr<Workload>>& all) {
  all.push_back(std::make_unique<SourceBuild>(scratch));
  all.push_back(std::make_unique<BatchBuild>(scratch));
  all.push_back(std::make_unique<ImportBuild>(scratch));
  all.push_back(std::make_unique<GoingOn>(scratch));
  all.push_back(std::make_unique<ReadVectors>(scratch));
}

}  // namespace cairn::reliability
