// The page of `cairn doctor`, for people and as one object.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/doctor/findings.h"

namespace cairn::tools {

/// "healthy", "warning" or "ill": by the first finding.
std::string_view verdict_of(const std::vector<Finding>& findings);

/// About 40 lines of 100 columns.
std::string doctor_page(const Examination& examination, const Asked& asked,
                        const std::vector<Finding>& findings);

nlohmann::ordered_json doctor_json(const Examination& examination, const Asked& asked,
                                   const std::vector<Finding>& findings);

}  // namespace cairn::tools
