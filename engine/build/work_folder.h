// The folder in which an index is built, beside where it will stand: `<target>.building`, held by
// a lock on its LOCK file. One rename publishes it; otherwise it is removed, or kept for a later
// run to go on with.
#pragma once

#include <cairn/result.h>

#include <memory>
#include <string>

#include "io/fs.h"

namespace cairn::build {

class WorkFolder {
 public:
  /// `target` must not exist (already_exists). A work folder that another builder left is taken
  /// over with what is in it; busy when a builder holds it; already_exists, naming it, when it
  /// holds a file that is not a build's.
  static Result<std::unique_ptr<WorkFolder>> open(io::Fs& fs, std::string target);

  /// Removes the folder and what a build wrote into it unless publish() succeeded or it is kept.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::string& path() const { return path_; }
  const std::string& target() const { return target_; }

  /// Removes all that a build wrote, its journal first: a loss of power in between leaves nothing
  /// to go on with.
  Status clear();
  /// Whether everything stays where it is when this goes: at first so when the folder was taken
  /// over, for then it may hold the work of days.
  void keep(bool kept = true) { kept_ = kept; }

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

  io::Fs& fs_;
  std::string target_, path_;
  std::unique_ptr<io::FileLock> lock_;  // held: what is in the folder is ours to remove
  bool kept_ = false;
};

}  // namespace cairn::build
