// The folder of an open index: its manifest, pinned, and its files by role. Everything above this
// asks for a file by its record and gets it with its length checked.
#pragma once

#include <cairn/result.h>

#include <memory>
#include <string>

#include "io/fs.h"
#include "io/page_file.h"
#include "layout/manifest.h"

namespace cairn::search {

/// not_found: a folder that holds no index; `what`: was to be done with it.
tl::unexpected<Error> no_index(const std::string& what, const std::string& folder);

class IndexFolder {
 public:
  /// Reads MANIFEST, pins its sequence in PINS and reads it again, until both readings agree: what
  /// a pinned manifest names is not deleted. not_found, corrupt, unsupported, io; busy if the
  /// manifest changes faster than it can be pinned.
  static Result<IndexFolder> open(io::Fs& fs, const std::string& path);

  const layout::Manifest& manifest() const { return manifest_; }
  io::Fs& fs() const { return *fs_; }

  std::string path_of(const layout::FileRecord& record) const;
  /// not_found, or corrupt unless the length is what the manifest says.
  Result<std::unique_ptr<io::ReadFile>> open_file(const layout::FileRecord& record,
                                                  bool direct) const;
  /// Opens and closes every file but the calibration, without which an index serves.
  Status check_files() const;

  /// Of all files and MANIFEST.
  std::uint64_t disk_bytes() const;
  std::uint64_t ram_bytes() const;

 private:
  IndexFolder(io::Fs& fs, std::string path, layout::Manifest manifest,
              std::unique_ptr<io::FileLock> pin)
      : fs_(&fs), path_(std::move(path)), manifest_(std::move(manifest)), pin_(std::move(pin)) {}

  io::Fs* fs_;
  std::string path_;
  layout::Manifest manifest_;
  std::unique_ptr<io::FileLock> pin_;
};

inline layout::Role role_of(const layout::FileRecord& record) {
  return static_cast<layout::Role>(record.role);
}

inline io::PageFileId page_file_id(const layout::FileRecord& record) {
  return {record.identity, record.generation, record.page_bytes};
}

}  // namespace cairn::search
