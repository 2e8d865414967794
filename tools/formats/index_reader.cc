#include "tools/formats/index_reader.h"

namespace cairn::formats {

OpenSource source_of_file(const std::string& path, PageCache cache) {
  return [path, cache] { return open_file(path, cache); };
}

}  // namespace cairn::formats
