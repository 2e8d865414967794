#include "tools/plan/scratch.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace cairn::tools::plan {

Result<ScratchFolder> ScratchFolder::create(const std::string& parent) {
  std::string path = parent + "/cairn-plan-" + std::string(6, 'X');  // for mkdtemp
  if (::mkdtemp(path.data()) == nullptr)
    return fail({.code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                 .what = "make a folder in",
                 .file = parent,
                 .found = std::strerror(errno)});
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace cairn::tools::plan
