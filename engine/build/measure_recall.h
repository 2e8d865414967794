// The calibration of an index that is about to be published.
#pragma once

#include <cairn/result.h>

#include <functional>
#include <string>

#include "engine/build/job.h"

namespace cairn::build {

/// Measures recall on the index in the work folder, in what of it fits the budget, and publishes
/// the outcome there. When not even the codes fit, or there are too few vectors, the index goes
/// without, and `log` is told.
Status measure_recall(const Job& job, const std::function<void(const std::string&)>& log);

}  // namespace cairn::build
