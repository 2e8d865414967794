#include "engine/build/work_folder.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "engine/build/journal.h"
#include "engine/build/publish_manifest.h"
#include "engine/build/temp_files.h"
#include "engine/guarded.h"
#include "layout/manifest.h"

namespace cairn::build {
namespace {

constexpr std::string_view kLockName = "LOCK";

/// Whether a builder writes files of this name.
bool is_ours(const std::string& name) {
  if (name == kLockName || name == layout::kManifestName || name == kManifestTemporary ||
      name == layout::kPinsName || name == kJournalName || name.ends_with(kTemporarySuffix))
    return true;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc{}) return false;
  constexpr auto kLast = static_cast<std::uint16_t>(layout::kRoleMax);
  for (std::uint16_t role = 1; role <= kLast; ++role)
    if (name == layout::file_name(number, static_cast<layout::Role>(role))) return true;
  return false;
}

tl::unexpected<Error> exists_already(const std::string& path, std::string expected) {
  return fail({.code = ErrorCode::already_exists,
               .what = "create an index",
               .file = path,
               .found = "something of that name",
               .expected = std::move(expected)});
}

/// Removes what a builder that was cut off behind the rename left in an index; it matters to
/// nobody.
void tidy_published(io::Fs& fs, const std::string& target) {
  if (!fs.exists(target + "/" + layout::kManifestName).value_or(false)) return;
  for (const std::string_view name : {kJournalName, kLockName})
    static_cast<void>(fs.remove(target + "/" + std::string(name)));
}

Status check_free(io::Fs& fs, const std::string& target) {
  CAIRN_ASSIGN(const bool exists, fs.exists(target));
  if (!exists) return {};
  tidy_published(fs, target);
  return exists_already(target, "a folder that does not exist yet");
}

}  // namespace

Result<std::unique_ptr<WorkFolder>> WorkFolder::open(io::Fs& fs, std::string target) {
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  if (target.empty() || target == "/")
    return fail(ErrorCode::invalid_argument, "create an index without a folder name");
  CAIRN_TRY(check_free(fs, target));
  std::unique_ptr<WorkFolder> folder(new WorkFolder(fs, std::move(target)));
  CAIRN_TRY(folder->take());
  return folder;
}

Status WorkFolder::take() {
  const Status made = fs_.make_dir(path_);
  if (!made && made.error().code != ErrorCode::already_exists) return made;
  kept_ = !made;
  // What a journal says is lasting is found again only when its folder is.
  Status held = fs_.sync_dir(io::parent_dir(path_));
  if (held) held = hold();
  // Without the lock the destructor leaves the folder alone.
  if (!held && !lock_ && made) static_cast<void>(fs_.remove(path_));
  return held;
}

Status WorkFolder::hold() {
  // Before the lock, which would leave its file among those of somebody else.
  CAIRN_TRY(check_names());
  CAIRN_ASSIGN(lock_, fs_.lock(path_ + "/" + std::string(kLockName)));
  // Another builder may have published, and so moved the file that we locked, since we looked.
  CAIRN_TRY(check_free(fs_, target_));
  return check_names();
}

Status WorkFolder::check_names() const {
  CAIRN_ASSIGN(const auto names, fs_.list(path_));
  for (const std::string& name : names)
    if (!is_ours(name))
      return exists_already(path_ + "/" + name, "a work folder with files of an index alone");
  return {};
}

Status WorkFolder::clear() {
  CAIRN_ASSIGN(const auto names, fs_.list(path_));
  if (std::find(names.begin(), names.end(), kJournalName) != names.end()) {
    CAIRN_TRY(fs_.remove(path_ + "/" + std::string(kJournalName)));
    CAIRN_TRY(fs_.sync_dir(path_));
  }
  for (const std::string& name : names)
    if (name != kLockName && name != kJournalName && is_ours(name))
      CAIRN_TRY(fs_.remove(path_ + "/" + name));
  return {};
}

WorkFolder::~WorkFolder() {
  if (!lock_ || kept_) return;
  // A destructor cannot report, nor throw where memory ran out. What is left is reused by the next
  // builder.
  static_cast<void>(guarded("remove a work folder", [this]() -> Status {
    CAIRN_TRY(clear());
    CAIRN_TRY(fs_.remove(path_ + "/" + std::string(kLockName)));
    return fs_.remove(path_);
  }));
}

Status WorkFolder::publish() {
  // Else a loss of power may bring temporary files back, as large as the index, into a folder that
  // nobody would look for them in.
  CAIRN_TRY(fs_.sync_dir(path_));
  CAIRN_TRY(fs_.rename_new(path_, target_));
  Status synced = fs_.sync_dir(io::parent_dir(target_));
  // A builder that takes this lock finds the target and gives up. Readers take no notice of these
  // files, so that it does not matter if they stay.
  tidy_published(fs_, target_);
  lock_.reset();
  if (synced) return {};
  Error error = std::move(synced).error();
  error.what = "the index is published, but may not survive a power cut: " + error.what;
  return fail(std::move(error));
}

}  // namespace cairn::build
