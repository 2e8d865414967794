#include "engine/search/block_scan.h"

#include <utility>

namespace cairn::search {

Result<io::PageFileSummary> scan_blocks(const IndexFolder& folder, const layout::FileRecord& record,
                                        const layout::BlockShape& shape,
                                        const layout::SegmentMap& map, bool direct,
                                        const BlockVisitor& visit,
                                        const io::BadPageVisitor& visit_bad) {
  CAIRN_ASSIGN(const auto file, folder.open_file(record, direct));
  const auto visit_page = [&](std::uint64_t page, std::span<const std::byte> bytes) -> Status {
    const auto first_slot = map.first_slot_of(record.number, page);
    if (!first_slot) return {};
    auto view = layout::BlockView::open(shape, bytes, *first_slot);
    if (view) return visit({*view, *first_slot, page});
    Error error = std::move(view).error().in_file(file->path());
    error.block = page;
    if (!visit_bad) return fail(std::move(error));
    return visit_bad(std::move(error));
  };
  return io::scan_pages(*file, page_file_id(record), visit_page, visit_bad);
}

}  // namespace cairn::search
