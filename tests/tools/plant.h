// Faults planted in the files of an index, sealed so that only what they do to searches shows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace cairn::tools {

/// Takes the edges to such slots out of the blocks and the navigation file.
void cut_edges(const std::string& folder, const std::function<bool(std::uint32_t slot)>& to);

/// Replaces codes and refinement by those of another index of the same shape.
void take_codes(const std::string& folder, const std::string& from);

/// Replaces the calibration by that of another index.
void take_calibration(const std::string& folder, const std::string& from);

}  // namespace cairn::tools
