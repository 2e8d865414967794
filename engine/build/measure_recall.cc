#include "engine/build/measure_recall.h"

#include <algorithm>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "engine/build/replace_calibration.h"
#include "engine/search/calibrate.h"

namespace cairn::build {
namespace {

/// What searches take beside the index that they open. Which states are measured must not depend on
/// the number of threads: what is left for the index follows from the budget alone, and the threads
/// are as many as the rest has room for.
constexpr std::uint64_t kSearchBytesAThread = 32u << 20;
constexpr std::uint64_t kSearchBytesMin = 2 * kSearchBytesAThread;
constexpr std::uint64_t kSearchShare = 8;  // of the budget, one part in so many
constexpr std::uint64_t kTruthBytes = 24u << 20;
constexpr std::uint64_t kProgressSteps = 1000;

std::uint64_t search_bytes(std::uint64_t memory_bytes) {
  return std::max(kSearchBytesMin, memory_bytes / kSearchShare);
}

/// What the phases before have freed, the index would come on top of.
void give_back_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

std::uint64_t measured_index_bytes(std::uint64_t memory_bytes) {
  return std::max<std::uint64_t>(
      1, memory_bytes - std::min(memory_bytes, search_bytes(memory_bytes) + kTruthBytes));
}

Status measure_recall(const Job& job, layout::Manifest& manifest,
                      const std::function<void(const std::string&)>& log) {
  if (job.options.calibration_rows == 0) return {};
  give_back_memory();
  io::Fs& fs = job.temp.fs();
  const std::string& folder = job.temp.folder();
  CalibrateOptions options;
  options.rows = job.options.calibration_rows;
  options.seed = job.seed(Stream::calibration);
  options.read_timeout_ms = job.options.read_timeout_ms;
  const std::uint64_t memory = job.options.memory_bytes, searches = search_bytes(memory);
  options.threads = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(job.options.threads, searches / kSearchBytesAThread));
  options.memory_bytes = measured_index_bytes(memory);
  options.progress = [&](double share) {
    return job.tick("recall", static_cast<std::uint64_t>(share * kProgressSteps), kProgressSteps);
  };
  auto measured = search::measure_calibration(fs, folder, options);
  auto published = measured ? replace_calibration(fs, folder, *measured)
                            : Result<layout::Manifest>(fail(std::move(measured).error()));
  if (published) {
    manifest = std::move(*published);
    return {};
  }
  const ErrorCode code = published.error().code;
  if (code != ErrorCode::over_limit && code != ErrorCode::invalid_argument &&
      code != ErrorCode::unsupported)
    return fail(std::move(published).error());
  log("recall is not measured: " + published.error().to_string());
  return {};
}

}  // namespace cairn::build
