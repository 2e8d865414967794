#include "engine/search/index_folder.h"

#include <utility>
#include <vector>

namespace cairn::search {
namespace {

constexpr int kPinAttemptsMax = 16;

std::string join(const std::string& folder, const std::string& name) { return folder + "/" + name; }

Result<layout::Manifest> read_manifest(io::Fs& fs, const std::string& folder) {
  const std::string path = join(folder, layout::kManifestName);
  auto opened = fs.open(path, false);
  if (!opened && opened.error().code == ErrorCode::not_found) return no_index("open index", folder);
  CAIRN_ASSIGN(const auto file, std::move(opened));
  if (file->bytes() > layout::kManifestBytesMax)
    return fail({.code = ErrorCode::corrupt,
                 .what = "read manifest",
                 .file = path,
                 .found = std::to_string(file->bytes()) + " bytes",
                 .expected = "at most " + std::to_string(layout::kManifestBytesMax)});
  std::vector<std::byte> bytes(static_cast<std::size_t>(file->bytes()));
  CAIRN_TRY(file->read(0, bytes));
  auto manifest = layout::decode_manifest(bytes);
  if (!manifest) return fail(std::move(manifest).error().in_file(path));
  return manifest;
}

template <class T>
std::uint64_t bytes_of(const std::vector<T>& items) {
  return items.capacity() * sizeof(T);
}

}  // namespace

tl::unexpected<Error> no_index(const std::string& what, const std::string& folder) {
  return fail({.code = ErrorCode::not_found,
               .what = what,
               .file = folder,
               .found = "no " + std::string(layout::kManifestName) + " there",
               .expected = "an index whose build has ended"});
}

Result<IndexFolder> IndexFolder::open(io::Fs& fs, const std::string& path) {
  CAIRN_ASSIGN(auto manifest, read_manifest(fs, path));
  for (int attempt = 0; attempt < kPinAttemptsMax; ++attempt) {
    const std::uint64_t sequence = manifest.header.sequence;
    CAIRN_ASSIGN(auto pin, fs.pin(join(path, layout::kPinsName), sequence));
    CAIRN_ASSIGN(manifest, read_manifest(fs, path));
    if (manifest.header.sequence == sequence)
      return IndexFolder(fs, path, std::move(manifest), std::move(pin));
  }
  return fail(
      {.code = ErrorCode::busy,
       .what = "pin manifest",
       .file = join(path, layout::kManifestName),
       .found = "another sequence at each of " + std::to_string(kPinAttemptsMax) + " attempts"});
}

std::string IndexFolder::path_of(const layout::FileRecord& record) const {
  return join(path_, layout::file_name(record.number, role_of(record)));
}

Result<std::unique_ptr<io::ReadFile>> IndexFolder::open_file(const layout::FileRecord& record,
                                                             bool direct) const {
  CAIRN_ASSIGN(auto file, fs_->open(path_of(record), direct));
  const std::uint64_t expected = record.pages * record.page_bytes;
  if (file->bytes() != expected)
    return fail({.code = ErrorCode::corrupt,
                 .what = "open file of the index",
                 .file = file->path(),
                 .found = std::to_string(file->bytes()) + " bytes",
                 .expected = std::to_string(expected)});
  return file;
}

Status IndexFolder::check_files() const {
  for (const layout::FileRecord& record : manifest_.files)
    if (role_of(record) != layout::Role::calibration) CAIRN_TRY(open_file(record, false));
  return {};
}

std::uint64_t IndexFolder::disk_bytes() const {
  std::uint64_t bytes = manifest_.header.total_bytes;
  for (const layout::FileRecord& record : manifest_.files)
    bytes += record.pages * record.page_bytes;
  return bytes;
}

std::uint64_t IndexFolder::ram_bytes() const {
  return sizeof *this + bytes_of(manifest_.segments) + bytes_of(manifest_.extents) +
         bytes_of(manifest_.files);
}

}  // namespace cairn::search
