#include "tools/compare/old_index.h"

namespace cairn::tools {

Status check_hnswlib(const IndexFile& file) {
  return not_built(file.path, "hnswlib", "libhnswlib-dev");
}

Result<std::unique_ptr<OldIndex>> load_hnswlib(const IndexFile& file, const formats::IndexFacts&) {
  return not_built(file.path, "hnswlib", "libhnswlib-dev");
}

}  // namespace cairn::tools
