// The calibration of an index that is about to be published.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/build/job.h"
#include "layout/manifest.h"

namespace cairn::build {

/// What of a build's budget the index may take when its recall is measured.
std::uint64_t measured_index_bytes(std::uint64_t memory_bytes);

/// Measures recall on the index in the work folder, in what of it fits the budget whatever the
/// number of threads, and publishes the outcome there: `manifest` becomes the new one. A run that
/// was cut off measures again. When not even the codes fit, there are too few vectors, or no reader
/// would take the outcome, the index goes without, and `log` is told.
Status measure_recall(const Job& job, layout::Manifest& manifest,
                      const std::function<void(const std::string&)>& log);

}  // namespace cairn::build
