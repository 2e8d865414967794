// The read-back that precedes publication: what the device returns is what was meant. (Debian bug
// 1057843: ext4 of kernel 6.1.64 wrote O_DIRECT data at wrong offsets without any error.)
#include "engine/build/write_index.h"
#include "engine/search/index_folder.h"
#include "io/page_file.h"

namespace cairn::build {
namespace {

Status verify_file(const search::IndexFolder& folder, const layout::FileRecord& record) {
  CAIRN_ASSIGN(const auto file, folder.open_file(record, true));
  CAIRN_ASSIGN(const io::PageFileSummary found,
               io::scan_pages(*file, search::page_file_id(record), {}));
  if (found.digest == record.digest) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "read back digest of",
               .file = file->path(),
               .found = std::to_string(found.digest),
               .expected = std::to_string(record.digest)});
}

}  // namespace

Status verify_written(io::Fs& fs, const std::string& folder, const Tick& tick) {
  CAIRN_ASSIGN(const auto written, search::IndexFolder::open(fs, folder));
  const auto& files = written.manifest().files;
  std::uint64_t done = 0;
  for (const layout::FileRecord& record : files) {
    CAIRN_TRY(verify_file(written, record));
    if (tick && !tick("verify", ++done, files.size()))
      return fail(ErrorCode::cancelled, "build cancelled while reading back");
  }
  return {};
}

}  // namespace cairn::build
