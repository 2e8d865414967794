// A build's plan and its report, for people and as JSON; and how far the plan was off.
#pragma once

#include <cairn/builder.h>

#include <nlohmann/json.hpp>
#include <string>

namespace cairn::tools {

/// Several lines, the last one ended: vectors, partitions, phases with their units and estimated
/// times, memory, disk, and what is done when it goes on.
std::string plan_text(const BuildPlan& plan);

nlohmann::ordered_json plan_json(const BuildPlan& plan);

/// Several lines, the last one ended: phases with their times, the index, and plan against reality.
std::string report_text(const BuildReport& report);

/// With the plan, and with "error": time, memory and disk as shares of the estimate (0.07: 7 % more
/// than planned), null where nothing was planned or measured.
nlohmann::ordered_json report_json(const BuildReport& report);

/// "estimated 41m00s, took 44m02s (7 % more)", memory and disk alike; "" where nothing was planned.
std::string estimate_text(const BuildReport& report);

}  // namespace cairn::tools
