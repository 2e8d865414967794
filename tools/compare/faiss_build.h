// How the FAISS that this is linked with was compiled.
#pragma once

#include <string>

namespace cairn::tools {

/// "FAISS 1.7.3, compiled as OPTIMIZE GENERIC (...)"
std::string build_of_faiss();

}  // namespace cairn::tools
