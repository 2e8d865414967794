// JSON as the command prints it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cairn::tools {

/// One line. A name of a file may be any bytes: what is no UTF-8 is replaced, where dump() throws.
template <class Json>
std::string json_line(const Json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace cairn::tools
