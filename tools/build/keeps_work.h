// What to tell a user whose build did not end.
#pragma once

#include <cairn/result.h>

#include <string>

namespace cairn::tools {

/// Adds to a build's error how to go on, where its work folder (`<index>.building`) is still there:
/// to `cancelled`, `no_space`, and `corrupt` and `not_found` of it or its files. Others stay as
/// they are.
Error with_way_on(Error error, const std::string& index);

}  // namespace cairn::tools
