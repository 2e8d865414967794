#include "tools/compare/old_index.h"

namespace cairn::tools {
namespace {

tl::unexpected<Error> no_usearch(const IndexFile& file) {
  return fail({.code = ErrorCode::unsupported,
               .what = "compare with an index of usearch",
               .file = file.path,
               .found = "a library that Debian does not package",
               .expected = "hnswlib or faiss; `cairn import` and `cairn recall` take this one"});
}

}  // namespace

Status check_loadable(const IndexFile& file) {
  if (file.format == IndexFormat::usearch) return no_usearch(file);
  return file.format == IndexFormat::hnswlib ? check_hnswlib(file) : check_faiss(file);
}

Result<std::unique_ptr<OldIndex>> load_old_index(const IndexFile& file,
                                                 const formats::IndexFacts& facts) {
  CAIRN_TRY(check_loadable(file));
  return file.format == IndexFormat::hnswlib ? load_hnswlib(file, facts) : load_faiss(file, facts);
}

}  // namespace cairn::tools
