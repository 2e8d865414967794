#include <cstdlib>

#include "tests/tools/old_samples.h"

namespace cairn::tools {

bool have_libraries() { return false; }

Found write_hnswlib(const std::string&, const Sample&) { std::abort(); }
Found write_hnswlib_u8(const std::string&, const Sample&) { std::abort(); }
Found write_faiss(const std::string&, const std::string&, const Sample&) { std::abort(); }
void write_faiss_with_bad_link(const std::string&, const Sample&) { std::abort(); }

}  // namespace cairn::tools
