// A new file that appears under its name only when it is complete: bytes go to a neighbour,
// commit() syncs it and renames it over the name. Destroyed before that, nothing is left.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "io/fs.h"

namespace cairn::formats {

/// Whether two paths lead to one file, there already or not yet.
bool same_file(const std::string& a, const std::string& b);

/// invalid_argument when `output` is one of the files that are read: it would be replaced.
Status check_not_read(const std::string& output, std::initializer_list<std::string> inputs);

/// Not thread-safe.
class OutputFile {
 public:
  /// Replaces a regular file of this name at commit(); refuses anything else there (a folder, a
  /// device).
  static Result<std::unique_ptr<OutputFile>> create(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Status append(std::span<const std::byte> bytes) { return file_->append(bytes); }
  /// Sync, close, rename, sync of the folder. Once.
  Status commit();
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, std::string part, std::unique_ptr<io::WriteFile> file, mode_t mode)
      : path_(std::move(path)), part_(std::move(part)), file_(std::move(file)), mode_(mode) {}

  std::string path_;
  std::string part_;  // empty once renamed
  std::unique_ptr<io::WriteFile> file_;
  mode_t mode_;
};

}  // namespace cairn::formats
