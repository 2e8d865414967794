#include <cairn/builder.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

#include "engine/build/assemble.h"
#include "engine/build/builder_fs.h"
#include "engine/build/work_folder.h"
#include "engine/guarded.h"
#include "layout/node_block.h"

namespace cairn {
namespace build {
namespace {

constexpr std::uint32_t kDegreeMin = 8;
constexpr std::uint32_t kThreadsMax = 1024;

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

Status check_options(std::uint32_t dim, DType dtype, const BuildOptions& options) {
  CAIRN_TRY(within("dim", dim, 1, kDimMax));
  CAIRN_TRY(within("dtype", static_cast<std::uint64_t>(dtype), 1,
                   static_cast<std::uint64_t>(DType::f32)));
  CAIRN_TRY(within("metric", static_cast<std::uint64_t>(options.metric), 1,
                   static_cast<std::uint64_t>(Metric::cosine)));
  CAIRN_TRY(within("code_bytes", options.code_bytes, 1, kDimMax));
  CAIRN_TRY(within("refine_bytes", options.refine_bytes, 0, kDimMax));
  CAIRN_TRY(within("degree", options.degree, kDegreeMin, layout::kDegreeMax));
  CAIRN_TRY(within("threads", options.threads, 0, kThreadsMax));
  if (!std::isfinite(options.alpha) || options.alpha < 1)
    return bad_option("alpha", std::to_string(options.alpha), "at least 1");
  return {};
}

class FolderBuilder final : public Builder {
 public:
  FolderBuilder(io::Fs& fs, std::unique_ptr<WorkFolder> folder, std::uint32_t dim, DType dtype,
                BuildOptions options)
      : fs_(fs),
        folder_(std::move(folder)),
        options_(std::move(options)),
        data_(std::in_place, options_.metric, dim, dtype) {
    if (options_.threads == 0) options_.threads = std::max(1U, std::thread::hardware_concurrency());
  }

  Status add(const VectorBatch& vectors, std::span<const Label> labels) override {
    if (!data_) return finished();
    return guarded("build", [&] { return data_->add(vectors, labels); });
  }

  Result<BuildReport> finish() override {
    if (!data_) return finished();
    auto report = guarded("build", [&] { return build(); });
    data_.reset();
    folder_.reset();
    return report;
  }

 private:
  static tl::unexpected<Error> finished() {
    return fail(ErrorCode::invalid_argument, "this builder has finished");
  }

  Result<BuildReport> build() {
    if (data_->count() == 0)
      return fail(ErrorCode::invalid_argument, "an index of no vectors cannot be built");
    BuildReport report;
    Phases phases(options_, report);
    CAIRN_TRY(assemble(*data_, options_, fs_, folder_->path(), phases, report));
    phases.begin("publish");
    CAIRN_TRY(folder_->publish());
    phases.end();
    return report;
  }

  io::Fs& fs_;
  std::unique_ptr<WorkFolder> folder_;
  BuildOptions options_;
  std::optional<Dataset> data_;  // until finish()
};

}  // namespace

Result<std::unique_ptr<Builder>> create_builder(io::Fs& fs, const std::string& folder,
                                                std::uint32_t dim, DType dtype,
                                                const BuildOptions& options) {
  return guarded("build", [&]() -> Result<std::unique_ptr<Builder>> {
    CAIRN_TRY(check_options(dim, dtype, options));
    CAIRN_ASSIGN(auto work, WorkFolder::open(fs, folder));
    return std::make_unique<FolderBuilder>(fs, std::move(work), dim, dtype, options);
  });
}

}  // namespace build

Result<std::unique_ptr<Builder>> Builder::create(const std::string& folder, std::uint32_t dim,
                                                 DType dtype, const BuildOptions& options) {
  return build::create_builder(io::posix_fs(), folder, dim, dtype, options);
}

}  // namespace cairn
