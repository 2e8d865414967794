#include "tools/plan/scratch.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "io/os_error.h"

namespace cairn::tools::plan {

Result<ScratchFolder> ScratchFolder::create(const std::string& parent) {
  std::string path = parent + "/cairn-plan-" + std::string(6, 'X');  // for mkdtemp
  if (::mkdtemp(path.data()) == nullptr)
    return fail(io::os_error(errno, "make a folder in", parent));
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace cairn::tools::plan
