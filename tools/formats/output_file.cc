#include "tools/formats/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/os_error.h"

namespace cairn::formats {

bool same_file(const std::string& a, const std::string& b) {
  struct stat facts[2] = {};
  const auto same = [&] {
    return facts[0].st_dev == facts[1].st_dev && facts[0].st_ino == facts[1].st_ino;
  };
  const auto both = [&](const std::string& first, const std::string& second) {
    return ::stat(first.c_str(), &facts[0]) == 0 && ::stat(second.c_str(), &facts[1]) == 0;
  };
  if (both(a, b)) return same();
  const auto name = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  return name(a) == name(b) && both(io::parent_dir(a), io::parent_dir(b)) && same();
}

Status check_not_read(const std::string& output, std::initializer_list<std::string> inputs) {
  for (const std::string& input : inputs)
    if (same_file(output, input))
      return fail({.code = ErrorCode::invalid_argument,
                   .what = "write",
                   .file = output,
                   .found = "the file that is read as '" + input + "'",
                   .expected = "another name"});
  return {};
}

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::string& path) {
  struct stat facts = {};
  if (::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode))
    return fail({.code = ErrorCode::invalid_argument,
                 .what = "write",
                 .file = path,
                 .found = S_ISDIR(facts.st_mode) ? "a folder" : "not a regular file",
                 .expected = "a file or nothing"});
  const mode_t mask = ::umask(S_IRWXG | S_IRWXO);
  ::umask(mask);
  std::string part = path + ".part-" + std::to_string(::getpid());
  auto file = io::posix_fs().create(part);
  if (!file && file.error().code == ErrorCode::already_exists) {
    // Left by a run that was killed: no living process of this machine or container has our id, and
    // containers give the same small ids again and again.
    CAIRN_TRY(io::posix_fs().remove(part));
    file = io::posix_fs().create(part);
  }
  if (!file) return fail(std::move(file).error());
  return std::unique_ptr<OutputFile>{
      new OutputFile(path, std::move(part), std::move(*file), 0666 & ~mask)};
}

OutputFile::~OutputFile() {
  if (part_.empty()) return;
  file_.reset();
  // Nothing more can be done about a partial file that cannot be removed: its name says it is one.
  (void)io::posix_fs().remove(part_);
}

Status OutputFile::commit() {
  // Data to share, unlike an index: io creates its files for their owner alone.
  if (::chmod(part_.c_str(), mode_) != 0)
    return fail(io::os_error(errno, "set the permissions of", part_));
  CAIRN_TRY(file_->sync());
  CAIRN_TRY(file_->close());
  CAIRN_TRY(io::posix_fs().rename(part_, path_));
  part_.clear();
  return io::posix_fs().sync_dir(io::parent_dir(path_));
}

}  // namespace cairn::formats
