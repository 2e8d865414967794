// A folder for the time of one command.
#pragma once

#include <cairn/result.h>

#include <string>
#include <utility>

namespace cairn::tools::plan {

/// Removed with all that is in it; what cannot be removed stays.
class ScratchFolder {
 public:
  /// A new folder in `parent`, which must exist. io, not_found.
  static Result<ScratchFolder> create(const std::string& parent);
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace cairn::tools::plan
