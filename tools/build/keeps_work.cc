#include "tools/build/keeps_work.h"

#include <filesystem>
#include <system_error>

namespace cairn::tools {

Error with_way_on(Error error, const std::string& index) {
  std::string folder = index;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  folder += ".building";
  std::error_code ignored;  // a folder that cannot be asked holds nothing to promise
  if (!std::filesystem::is_directory(folder, ignored)) return error;
  if (error.code == ErrorCode::cancelled) {
    if (!error.file.empty()) error.what += " '" + error.file + "'";
    error.file.clear();
    error.what += "; what is done is kept in '" + folder +
                  "': the same command goes on from there, with --fresh it starts anew";
  }
  if (error.code == ErrorCode::no_space)
    error.expected += error.expected.empty() ? "room: the same command goes on when there is some"
                                             : "; the same command goes on when there is room";
  const bool damaged = error.code == ErrorCode::corrupt || error.code == ErrorCode::not_found;
  if (damaged && (error.file == folder || error.file.starts_with(folder + "/")))
    error.expected += error.expected.empty() ? "what an earlier run left; --fresh starts anew"
                                             : "; --fresh starts anew";
  return error;
}

}  // namespace cairn::tools
