#include <cairn/builder.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <thread>

#include "engine/build/builder_fs.h"
#include "engine/build/codes.h"
#include "engine/build/estimate.h"
#include "engine/build/journal.h"
#include "engine/build/pipeline.h"
#include "engine/build/spool.h"
#include "engine/build/work_folder.h"
#include "engine/guarded.h"
#include "engine/search/process_memory.h"
#include "layout/node_block.h"

namespace cairn {
namespace build {
namespace {

constexpr std::uint32_t kThreadsMax = 1024;
constexpr std::uint32_t kPartitionsMax = 4096;
constexpr std::uint64_t kSpoolId = 1;  // of its temporary files

tl::unexpected<Error> bad_option(std::string name, std::string found, std::string expected) {
  return fail({.code = ErrorCode::invalid_argument,
               .what = std::move(name),
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status within(const char* name, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return {};
  return bad_option(name, std::to_string(value),
                    std::to_string(low) + " to " + std::to_string(high));
}

/// `edges_max`: of what the vectors come from.
Status check_options(std::uint32_t dim, DType dtype, std::uint32_t edges_max,
                     const BuildOptions& options) {
  CAIRN_TRY(within("dim", dim, 1, kDimMax));
  CAIRN_TRY(within("dtype", static_cast<std::uint64_t>(dtype), 1,
                   static_cast<std::uint64_t>(DType::f32)));
  CAIRN_TRY(within("metric", static_cast<std::uint64_t>(options.metric), 1,
                   static_cast<std::uint64_t>(Metric::cosine)));
  CAIRN_TRY(within("code_bytes", options.code_bytes, 1, kDimMax));
  CAIRN_TRY(within("refine_bytes", options.refine_bytes.value_or(0), 0, kDimMax));
  std::uint64_t layers = 0;
  for (const std::uint32_t layer : options.refine_layers) {
    CAIRN_TRY(within("refine_layers", layer, 1, dim));
    layers += layer;
  }
  CAIRN_TRY(within("sum of refine_layers", layers, 0, dim));
  CAIRN_TRY(within("degree", options.degree, kBuildDegreeMin, layout::kDegreeMax));
  CAIRN_TRY(within("nav_edges", options.nav_edges, 8, layout::kDegreeMax));
  CAIRN_TRY(within("partitions", options.partitions, 0, kPartitionsMax));
  CAIRN_TRY(within("threads", options.threads, 0, kThreadsMax));
  if (options.keep_edges && edges_max == 0)
    return bad_option("keep_edges", "vectors that come without edges", "a source that has them");
  if (!std::isfinite(options.alpha) || options.alpha < 1)
    return bad_option("alpha", std::to_string(options.alpha), "at least 1");
  return {};
}

/// Options with nothing left to choose.
BuildOptions complete(BuildOptions options, std::uint32_t dim, std::uint64_t vectors) {
  if (options.threads == 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (options.memory_bytes == 0) options.memory_bytes = search::process_memory_bytes() / 2;
  options.code_bytes = std::min(options.code_bytes, dim);
  if (options.refine_layers.empty())
    options.refine_layers = refinement_layers(
        std::min(options.refine_bytes.value_or(default_refine_bytes(dim)), dim), dim, vectors);
  options.refine_bytes =
      std::accumulate(options.refine_layers.begin(), options.refine_layers.end(), 0U);
  return options;
}

Status check_count(std::uint64_t vectors) {
  if (vectors == 0)
    return fail(ErrorCode::invalid_argument, "an index of no vectors cannot be built");
  if (vectors > kRowsMax)
    return fail({.code = ErrorCode::over_limit,
                 .what = "build",
                 .found = std::to_string(vectors) + " vectors",
                 .expected = "at most " + std::to_string(kRowsMax)});
  return {};
}

/// One build in its work folder.
class FolderBuild {
 public:
  static Result<FolderBuild> open(io::Fs& fs, const std::string& target,
                                  const BuildOptions& options) {
    CAIRN_ASSIGN(auto folder, WorkFolder::open(fs, target));
    if (options.fresh) CAIRN_TRY(folder->clear());
    CAIRN_ASSIGN(Journal journal, Journal::open(fs, folder->path()));
    if (journal.find(Unit::unusable) != nullptr) {
      CAIRN_TRY(folder->clear());
      CAIRN_ASSIGN(journal, Journal::open(fs, folder->path()));
    }
    return FolderBuild(fs, std::move(folder), std::move(journal));
  }
  FolderBuild(FolderBuild&&) = default;
  /// Leaves what is finished for a later run, whatever ended this one.
  ~FolderBuild() {
    if (folder_) folder_->keep(begun() && journal_->find(Unit::unusable) == nullptr);
  }

  Journal& journal() { return *journal_; }
  const std::string& path() const { return folder_->path(); }
  /// Whether there is something to go on with.
  bool begun() const {
    const Journal::Words* spooled = journal_->find(Unit::spool);  // begins with their number
    return journal_->find(Unit::sample) != nullptr || (spooled != nullptr && spooled->front() != 0);
  }

  Result<BuildReport> run(VectorSource& source, const BuildOptions& wanted) {
    CAIRN_TRY(check_count(source.count()));
    const BuildOptions options = complete(wanted, source.dim(), source.count());
    BuildReport report;
    CAIRN_TRY(plan(source, options, report.plan));
    Phases phases(options, report);
    phases.set_plan(report.plan);
    phases.watch(fs_, folder_->path());
    CAIRN_TRY(build_in(source, options, fs_, *journal_, folder_->path(), phases, report));
    phases.begin("publish");
    phases.tick()("publish", 0, 1);
    CAIRN_TRY(phases.check());
    CAIRN_TRY(folder_->publish());
    phases.end();
    for (const BuildReport::Phase& phase : report.phases) {
      report.wall_s += phase.wall_s;
      report.cpu_s += phase.cpu_s;
    }
    return report;
  }

 private:
  /// Of the first run; later ones say what it said.
  Status plan(VectorSource& source, const BuildOptions& options, BuildPlan& plan) {
    const Journal::Words* words = journal_->find(Unit::plan);
    if (words != nullptr) {
      plan = plan_from(*words);
      plan.units_done = journal_->size();
    } else {
      const bool wanted = options.planned || options.progress;
      const std::uint64_t from = options.keep_edges ? kCalibrateKeptFrom : kCalibrateFrom;
      CAIRN_ASSIGN(plan, make_plan(fs_, folder_->target(), source, options, source.count(),
                                   wanted && source.count() >= from));
      CAIRN_TRY(journal_->append(Unit::plan, 0, plan_words(plan)));
    }
    if (!options.planned || options.planned(plan)) return {};
    return fail(ErrorCode::cancelled, "the build was cancelled");
  }

  FolderBuild(io::Fs& fs, std::unique_ptr<WorkFolder> folder, Journal journal)
      : fs_(fs),
        folder_(std::move(folder)),
        journal_(std::make_unique<Journal>(std::move(journal))) {}

  io::Fs& fs_;
  std::unique_ptr<WorkFolder> folder_;
  std::unique_ptr<Journal> journal_;  // before the folder goes its file is closed
};

class FolderBuilder final : public Builder {
 public:
  static Result<std::unique_ptr<Builder>> create(io::Fs& fs, const std::string& folder,
                                                 std::uint32_t dim, DType dtype,
                                                 const BuildOptions& options,
                                                 std::uint64_t spool_sync_bytes) {
    CAIRN_ASSIGN(FolderBuild build, FolderBuild::open(fs, folder, options));
    std::unique_ptr<FolderBuilder> builder(new FolderBuilder(fs, std::move(build), options));
    CAIRN_ASSIGN(builder->spool_, Spool::open(builder->temp_, builder->build_->journal(),
                                              options.metric, dim, dtype, spool_sync_bytes));
    return builder;
  }

  Status add(const VectorBatch& vectors, std::span<const Label> labels) override {
    if (!build_) return finished();
    return guarded("build", [&] { return spool_->add(vectors, labels); });
  }
  std::uint64_t added() const override { return spool_ ? spool_->count() : 0; }

  Result<BuildReport> finish() override {
    if (!build_) return finished();
    auto report = guarded("build", [&]() -> Result<BuildReport> {
      CAIRN_TRY(spool_->seal());
      return build_->run(*spool_, options_);
    });
    spool_.reset();
    build_.reset();
    return report;
  }

 private:
  FolderBuilder(io::Fs& fs, FolderBuild build, BuildOptions options)
      : build_(std::move(build)),
        options_(std::move(options)),
        temp_(fs, build_->path(), kSpoolId) {}
  static tl::unexpected<Error> finished() {
    return fail(ErrorCode::invalid_argument, "this builder has finished");
  }

  std::optional<FolderBuild> build_;  // until finish()
  BuildOptions options_;
  TempFiles temp_;
  std::unique_ptr<Spool> spool_;
};

}  // namespace

Result<std::unique_ptr<Builder>> create_builder(io::Fs& fs, const std::string& folder,
                                                std::uint32_t dim, DType dtype,
                                                const BuildOptions& options,
                                                std::uint64_t spool_sync_bytes) {
  return guarded("build", [&]() -> Result<std::unique_ptr<Builder>> {
    CAIRN_TRY(check_options(dim, dtype, 0, options));
    return FolderBuilder::create(fs, folder, dim, dtype, options, spool_sync_bytes);
  });
}

Result<BuildReport> build_index(io::Fs& fs, const std::string& folder, VectorSource& source,
                                const BuildOptions& options) {
  return guarded("build", [&]() -> Result<BuildReport> {
    CAIRN_TRY(check_options(source.dim(), source.dtype(), source.edges_max(), options));
    CAIRN_ASSIGN(FolderBuild build, FolderBuild::open(fs, folder, options));
    return build.run(source, options);
  });
}

Result<BuildPlan> plan_build(io::Fs& fs, const std::string& folder, VectorSource& source,
                             const BuildOptions& options, std::uint64_t vectors, bool trial) {
  return guarded("plan", [&]() -> Result<BuildPlan> {
    CAIRN_TRY(check_options(source.dim(), source.dtype(), source.edges_max(), options));
    const std::uint64_t count = vectors == 0 ? source.count() : vectors;
    CAIRN_TRY(check_count(count));
    return make_plan(fs, folder, source, complete(options, source.dim(), count), count, trial);
  });
}

}  // namespace build

Result<std::unique_ptr<Builder>> Builder::create(const std::string& folder, std::uint32_t dim,
                                                 DType dtype, const BuildOptions& options) {
  return build::create_builder(io::posix_fs(), folder, dim, dtype, options);
}

Result<BuildReport> build_index(const std::string& folder, VectorSource& source,
                                const BuildOptions& options) {
  return build::build_index(io::posix_fs(), folder, source, options);
}

Result<BuildPlan> plan_build(const std::string& folder, VectorSource& source,
                             const BuildOptions& options, std::uint64_t vectors) {
  return build::plan_build(io::posix_fs(), folder, source, options, vectors, true);
}

}  // namespace cairn
