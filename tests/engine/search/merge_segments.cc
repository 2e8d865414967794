#include "tests/engine/search/merge_segments.h"

#include "engine/build/publish_manifest.h"
#include "engine/search/index_folder.h"

namespace cairn::search::testing {

Result<layout::Manifest> manifest_of(io::Fs& fs, const std::string& folder) {
  CAIRN_ASSIGN(const auto opened, IndexFolder::open(fs, folder));
  return opened.manifest();
}

Status merge_segments(io::Fs& fs, const std::string& from, const std::string& into) {
  CAIRN_ASSIGN(layout::Manifest merged, manifest_of(fs, into));
  CAIRN_ASSIGN(const layout::Manifest other, manifest_of(fs, from));
  const std::uint64_t shift = merged.header.next_file_number - 1;
  for (layout::FileRecord file : other.files) {
    const layout::Role role = role_of(file);
    if (role == layout::Role::calibration) continue;
    const std::string name = layout::file_name(file.number, role);
    file.number += shift;
    file.segment = 2;
    CAIRN_TRY(fs.rename(from + "/" + name, into + "/" + layout::file_name(file.number, role)));
    merged.files.push_back(file);
  }
  for (layout::ExtentRecord extent : other.extents) {
    extent.segment = 2;
    extent.blocks_file += shift;
    merged.extents.push_back(extent);
  }
  merged.segments.push_back(other.segments.front());
  merged.segments.back().segment = 2;
  merged.header.next_file_number += other.header.next_file_number;
  merged.header.incompatible |= other.header.incompatible;
  ++merged.header.sequence;
  CAIRN_TRY(build::publish_manifest(fs, into, merged));
  return {};
}

}  // namespace cairn::search::testing
