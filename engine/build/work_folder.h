// The folder in which an index is built, beside where it will stand: `<target>.building`, held by
// a lock on its LOCK file. One rename publishes it; otherwise it is removed.
#pragma once

#include <cairn/result.h>

#include <memory>
#include <string>

#include "io/fs.h"

namespace cairn::build {

class WorkFolder {
 public:
  /// `target` must not exist (already_exists). A work folder that a dead builder left is emptied
  /// and reused; busy when a builder holds it; already_exists, naming it, when it holds a file that
  /// is not an index's.
  static Result<std::unique_ptr<WorkFolder>> open(io::Fs& fs, std::string target);

  /// Removes the folder and what a build wrote into it unless publish() succeeded.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::string& path() const { return path_; }
  const std::string& target() const { return target_; }

  /// Renames to the target, unless that exists by now (already_exists), and syncs its parent. When
  /// that sync fails the error is returned and the index stays: it is whole, but a power cut may
  /// take it away.
  Status publish();

 private:
  WorkFolder(io::Fs& fs, std::string target)
      : fs_(fs), target_(std::move(target)), path_(target_ + ".building") {}
  Status check_names() const;
  Status take();
  Status hold();
  Status remove_files();

  io::Fs& fs_;
  std::string target_, path_;
  std::unique_ptr<io::FileLock> lock_;  // held: what is in the folder is ours to remove
};

}  // namespace cairn::build
