#include <cairn/calibrate.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/build/calibrate_index.h"
#include "engine/build/replace_calibration.h"
#include "engine/guarded.h"
#include "engine/search/calibrate.h"
#include "engine/search/index_folder.h"
#include "layout/manifest.h"

namespace cairn {
namespace build {
namespace {

CalibrateReport report_of(const layout::Calibration& calibration) {
  CalibrateReport report;
  report.curves = static_cast<std::uint32_t>(calibration.curves.size());
  std::set<std::tuple<std::uint32_t, std::uint32_t>> states;
  for (const layout::Curve& curve : calibration.curves) {
    states.emplace(curve.record.refine_bytes, curve.record.nav_edges);
    report.queries = std::max(report.queries, curve.record.queries);
  }
  report.states = static_cast<std::uint32_t>(states.size());
  return report;
}

}  // namespace

Result<CalibrateReport> calibrate_index(io::Fs& fs, const std::string& folder,
                                        const CalibrateOptions& options) {
  return guarded("calibrate", [&]() -> Result<CalibrateReport> {
    CAIRN_ASSIGN(const bool exists, fs.exists(folder + "/" + layout::kManifestName));
    if (!exists) return search::no_index("calibrate", folder);
    CAIRN_ASSIGN(const auto lock, fs.lock(folder + "/" + layout::kWriterLockName));
    CAIRN_ASSIGN(const auto calibration, search::measure_calibration(fs, folder, options));
    CAIRN_TRY(replace_calibration(fs, folder, calibration));
    return report_of(calibration);
  });
}

}  // namespace build

Result<CalibrateReport> calibrate_index(const std::string& folder,
                                        const CalibrateOptions& options) {
  return build::calibrate_index(io::posix_fs(), folder, options);
}

}  // namespace cairn
