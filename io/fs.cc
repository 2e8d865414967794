#include "io/fs.h"

namespace cairn::io {

std::string parent_dir(const std::string& path) {
  // Trailing slashes belong to the last component, not to an empty one after it.
  std::size_t end = path.size();
  while (end > 1 && path[end - 1] == '/') --end;
  const std::size_t slash = path.rfind('/', end - 1);
  if (end == 0 || slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace cairn::io
