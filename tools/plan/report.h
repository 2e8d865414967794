// A plan for people, and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tools/plan/planner.h"

namespace cairn::tools::plan {

/// Two tables of one row a design, what is assumed, and advice().
std::string plan_text(const Plan& plan);

/// All figures with their intervals, machines, what is assumed, and the advice.
nlohmann::ordered_json plan_json(const Plan& plan);

/// Where figures come from, a line each.
std::vector<std::string> assumptions(const Plan& plan);

/// Two sentences: what to take, and what that saves against HNSW in RAM. No saving is claimed
/// unless a rate and a p99 are stated and met.
std::string advice(const Plan& plan);

}  // namespace cairn::tools::plan
