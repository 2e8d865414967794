#include "tools/compare/old_index.h"

namespace cairn::tools {

Status check_faiss(const IndexFile& file) { return not_built(file.path, "FAISS", "libfaiss-dev"); }

Result<std::unique_ptr<OldIndex>> load_faiss(const IndexFile& file, const formats::IndexFacts&) {
  return not_built(file.path, "FAISS", "libfaiss-dev");
}

}  // namespace cairn::tools
