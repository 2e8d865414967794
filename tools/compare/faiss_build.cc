#include "tools/compare/faiss_build.h"

#include <faiss/Index.h>
#include <faiss/utils/utils.h>

namespace cairn::tools {

// What the library says of itself. Debian 12's libfaiss-dev (1.7.3-2+b1) answers "OPTIMIZE
// GENERIC", and its archive holds no instruction on ymm or zmm registers.
std::string build_of_faiss() {
  const std::string options = faiss::get_compile_options();
  std::string text = "FAISS " + std::to_string(FAISS_VERSION_MAJOR) + "." +
                     std::to_string(FAISS_VERSION_MINOR) + "." +
                     std::to_string(FAISS_VERSION_PATCH) + ", compiled as " + options;
  if (options.find("AVX") == std::string::npos)
    text += " (Debian builds it without AVX: SSE2 only; FAISS's own builds are faster)";
  return text;
}

}  // namespace cairn::tools
