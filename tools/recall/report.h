// The columns of a measured run, alike for `cairn recall` and bench/peers, so that their tables can
// be laid side by side.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/recall/measure.h"

namespace cairn::tools {

/// Titles; the first is the name of the parameter that varies.
std::vector<std::string> recall_titles(std::string list_name);

/// One row under them; "-" where nothing is counted.
std::vector<std::string> recall_cells(const RecallRow& row);

/// The same as an object, null where nothing is counted.
nlohmann::ordered_json recall_json(const RecallRow& row);

}  // namespace cairn::tools
