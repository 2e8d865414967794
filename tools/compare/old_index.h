// An index of another library, loaded by that library itself and searched in memory, so that it can
// be measured beside ours.
#pragma once

#include <cairn/index.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tools/formats/index_reader.h"
#include "tools/import/open_index_file.h"

namespace cairn::tools {

/// Not thread-safe.
class OldIndex {
 public:
  virtual ~OldIndex() = default;
  /// Which version, and how it was compiled as far as that shows in its times.
  virtual std::string build() const = 0;
  /// The parameter that trades recall for time: "ef", "efSearch", "nprobe". Empty: there is none.
  virtual std::string effort_name() const = 0;
  /// As the file has it; 0 where it does not say.
  virtual std::uint32_t effort() const { return 0; }
  /// Beyond it nothing changes.
  virtual std::uint32_t effort_max() const = 0;
  /// 1..effort_max(), of the searches that follow.
  virtual void set_effort(std::uint32_t effort) = 0;
  /// What it needs by its own layout: records, links and look-up tables.
  virtual std::uint64_t layout_bytes() const = 0;
  /// One query of the index's shape on the calling thread, which alone works on it. `found`:
  /// ascending, at most k, distances as Cairn's. Errors: what the library throws, as io.
  virtual Status search(VectorView query, std::uint32_t k, std::vector<Neighbor>& found) = 0;
};

/// unsupported, saying why, where load_old_index() could not load such a file. `file` has a metric,
/// and of hnswlib a dimension and an element type.
Status check_loadable(const IndexFile& file);

/// `file` and `facts` as open_index_file() checked them: the libraries trust their files. Errors:
/// of check_loadable(); corrupt where links lead to levels that an element does not have, or the
/// library refuses the file; out_of_memory.
Result<std::unique_ptr<OldIndex>> load_old_index(const IndexFile& file,
                                                 const formats::IndexFacts& facts);

// Of each library; without_*.cc stand in for those that a build does not have.
Status check_hnswlib(const IndexFile& file);
Status check_faiss(const IndexFile& file);
Result<std::unique_ptr<OldIndex>> load_hnswlib(const IndexFile& file,
                                               const formats::IndexFacts& facts);
Result<std::unique_ptr<OldIndex>> load_faiss(const IndexFile& file,
                                             const formats::IndexFacts& facts);

/// Calls `work`, which gives a Result, and makes an Error of what a library throws in it.
template <class Work>
auto guard(ErrorCode code, const char* what, const std::string& path, const Work& work)
    -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail({.code = ErrorCode::out_of_memory, .what = what, .file = path});
  } catch (const std::exception& error) {
    return fail({.code = code, .what = what, .file = path, .found = error.what()});
  }
}

/// Of a library that was not there when this was built.
inline tl::unexpected<Error> not_built(const std::string& path, std::string library,
                                       const std::string& packages) {
  return fail({.code = ErrorCode::unsupported,
               .what = "load an index of " + library,
               .file = path,
               .found = "a build without " + library,
               .expected = packages + " installed when `cairn` is built"});
}

}  // namespace cairn::tools
