#include "engine/search/calibration_file.h"

#include <utility>
#include <vector>

namespace cairn::search {

Result<std::optional<layout::Calibration>> read_calibration(const IndexFolder& folder,
                                                            bool direct) {
  const layout::FileRecord* record = folder.manifest().calibration();
  if (record == nullptr) return std::optional<layout::Calibration>();
  CAIRN_ASSIGN(const auto file, folder.open_file(*record, direct));
  CAIRN_ASSIGN(auto reader,
               io::PageStreamReader::create(*file, page_file_id(*record), record->stream_bytes));
  std::vector<std::byte> bytes(static_cast<std::size_t>(record->stream_bytes));
  CAIRN_TRY(reader.read(0, bytes));
  auto calibration = layout::decode_calibration(bytes);
  if (!calibration) return fail(std::move(calibration).error().in_file(file->path()));
  return std::optional(std::move(*calibration));
}

}  // namespace cairn::search
