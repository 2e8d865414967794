// What every query of one measured row found, and how long each took.
#pragma once

#include <functional>

#include "tools/recall/answers.h"
#include "tools/recall/measure.h"

namespace cairn::peers {

using tools::AnswerTable;

/// Takes a measured row and its answers; an error ends the measurement.
using Seen = std::function<Status(const tools::RecallRow& row, const AnswerTable& answers)>;

}  // namespace cairn::peers
