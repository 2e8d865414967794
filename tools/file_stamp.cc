#include "tools/file_stamp.h"

#include <sys/stat.h>

#include <cerrno>

namespace cairn::tools {

void add_file_stamp(build::Hash& hash, const std::string& path) {
  struct stat facts = {};
  const int cause = ::stat(path.c_str(), &facts) == 0 ? 0 : errno;
  hash.add_value(cause).add_value(facts.st_size).add_value(facts.st_ino);
  hash.add_value(facts.st_mtim.tv_sec).add_value(facts.st_mtim.tv_nsec);
}

}  // namespace cairn::tools
