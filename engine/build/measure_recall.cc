#include "engine/build/measure_recall.h"

#include <algorithm>

#include "engine/build/replace_calibration.h"
#include "engine/search/calibrate.h"
#include "engine/search/index_folder.h"

namespace cairn::build {
namespace {

/// What searches take beside the index that they open.
constexpr std::uint64_t kSearchBytesAThread = 32u << 20;
constexpr std::uint64_t kTruthBytes = 24u << 20;
constexpr std::uint64_t kProgressSteps = 1000;

}  // namespace

Status measure_recall(const Job& job, const std::function<void(const std::string&)>& log) {
  if (job.options.calibration_rows == 0) return {};
  io::Fs& fs = job.temp.fs();
  const std::string& folder = job.temp.folder();
  {
    // A manifest that names a calibration says that it was taken.
    CAIRN_ASSIGN(const auto written, search::IndexFolder::open(fs, folder));
    if (written.manifest().calibration() != nullptr) return {};
  }
  CalibrateOptions options;
  options.rows = job.options.calibration_rows;
  options.threads = job.options.threads;
  options.seed = job.seed(Stream::calibration);
  const std::uint64_t searches = kSearchBytesAThread * job.options.threads + kTruthBytes;
  options.memory_bytes = std::max<std::uint64_t>(
      1, job.options.memory_bytes - std::min(job.options.memory_bytes, searches));
  options.progress = [&](double share) {
    return job.tick("recall", static_cast<std::uint64_t>(share * kProgressSteps), kProgressSteps);
  };
  auto measured = search::measure_calibration(fs, folder, options);
  if (measured) return replace_calibration(fs, folder, *measured);
  const ErrorCode code = measured.error().code;
  if (code != ErrorCode::over_limit && code != ErrorCode::invalid_argument)
    return fail(std::move(measured).error());
  log("recall is not measured: " + measured.error().to_string());
  return {};
}

}  // namespace cairn::build
