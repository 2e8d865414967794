#include "engine/build/publish_manifest.h"

#include <vector>

namespace cairn::build {

Status write_file(io::Fs& fs, const std::string& path, std::span<const std::byte> bytes) {
  CAIRN_ASSIGN(const bool left, fs.exists(path));
  if (left) CAIRN_TRY(fs.remove(path));
  CAIRN_ASSIGN(const auto file, fs.create(path));
  CAIRN_TRY(file->append(bytes));
  CAIRN_TRY(file->sync());
  return file->close();
}

Result<layout::Manifest> publish_manifest(io::Fs& fs, const std::string& folder,
                                          const layout::Manifest& manifest) {
  const std::vector<std::byte> bytes = layout::encode_manifest(manifest);
  // What a reader would refuse is not published.
  CAIRN_ASSIGN(auto published, layout::decode_manifest(bytes));
  const std::string temporary = folder + "/" + kManifestTemporary;
  CAIRN_TRY(write_file(fs, temporary, bytes));
  CAIRN_TRY(fs.sync_dir(folder));
  CAIRN_TRY(fs.rename(temporary, folder + "/" + layout::kManifestName));
  CAIRN_TRY(fs.sync_dir(folder));
  return published;
}

}  // namespace cairn::build
