#include "engine/search/verify.h"

#include <algorithm>
#include <array>

#include "engine/search/calibration_file.h"
#include "engine/search/verify_parts.h"
#include "io/aligned_buffer.h"
#include "io/slot_table.h"

namespace cairn::search {
namespace {

/// Buckets of fewer slots would cost more RAM than the bits.
constexpr std::uint32_t kBucketSlotsMin = 16;
constexpr std::uint64_t kProgressPages = 1024;

/// A header at the front of a stream; errors name the file.
template <class Decode>
auto decode_stream(const SegmentCheck& check, const layout::FileRecord& record, std::size_t bytes,
                   Decode decode) -> decltype(decode(std::span<const std::byte>())) {
  CAIRN_ASSIGN(const auto file, check.folder.open_file(record, check.direct));
  CAIRN_ASSIGN(auto reader,
               io::PageStreamReader::create(*file, page_file_id(record), record.stream_bytes));
  CAIRN_ASSIGN(const auto buffer, io::AlignedBuffer::create(bytes));
  CAIRN_TRY(reader.read(0, buffer.bytes().first(bytes)));
  auto decoded = decode(std::span<const std::byte>(buffer.bytes().first(bytes)));
  if (!decoded) return fail(std::move(decoded).error().in_file(file->path()));
  return decoded;
}

/// What the blocks say together, once all have been read.
void check_counts(SegmentCheck& check) {
  const std::string& path = check.folder.path_of(
      *check.folder.manifest().find(check.record.segment, layout::Role::blocks));
  const auto compare = [&](std::string_view what, std::uint64_t found, std::uint64_t expected) {
    if (found != expected)
      check.log.problem({.code = ErrorCode::corrupt,
                         .what = std::string(what) + " in the blocks of segment " +
                                 std::to_string(check.record.segment),
                         .file = path,
                         .found = std::to_string(found),
                         .expected = std::to_string(expected)});
  };
  compare("vectors", check.vectors, check.record.vector_count);
  compare("edges", check.edges, check.record.edge_count);
  const MissingSlots astray = missing_slots(check.has_in_edge, check.occupied);
  if (astray.count != 0)
    check.problem_at(astray.first, "empty slots that edges lead to", std::to_string(astray.count),
                     "0");
}

void check_in_edges(SegmentCheck& check) {
  if (check.vectors <= 1) return;
  const MissingSlots without = missing_slots(check.occupied, check.has_in_edge);
  check.log.report().without_in_edge += without.count;
  if (without.count != 0)
    check.problem_at(without.first, "vectors without an in-edge", std::to_string(without.count),
                     "0");
}

/// Every vector must be within reach of the entry points.
Status check_reachability(SegmentCheck& check, const layout::Entries& entries) {
  CAIRN_ASSIGN(const SlotBits reached,
               reachable_slots(check.folder, check.record, entries, check.direct));
  const MissingSlots unreachable = missing_slots(check.occupied, reached);
  check.log.report().unreachable += unreachable.count;
  if (unreachable.count != 0)
    check.problem_at(unreachable.first, "vectors out of reach of the entry points",
                     std::to_string(unreachable.count), "0");
  return {};
}

/// The one calibration of the folder, filed under its first segment.
void check_calibration(SegmentCheck& check) {
  const layout::FileRecord* record = check.folder.manifest().calibration();
  if (record == nullptr) return;
  check.log.note(check_pages(check, *record, {}));
  if (auto read = read_calibration(check.folder, check.direct); !read)
    check.log.problem(std::move(read).error());
}

void check_segment(SegmentCheck& check) {
  const layout::SegmentRecord& record = check.record;
  check.log.note(check_blocks(check));
  const layout::Manifest& manifest = check.folder.manifest();
  check.log.note(
      check_codes(check, *manifest.find(record.segment, layout::Role::codes), record.code_bytes));
  for (const auto* layer : manifest.files_of(record.segment, layout::Role::refine))
    check.log.note(check_codes(check, *layer, manifest.layer_bytes(*layer, record.slot_count)));
  layout::Entries entries;
  const Status entered = check_entries(check, entries);
  check.log.note(entered);
  check.log.note(check_labels(check));
  check.log.report().vectors += check.vectors;
  check.log.report().edges += check.edges;
  if (!check.blocks_intact) return;
  check_counts(check);
  check_in_edges(check);
  if (entered) check.log.note(check_reachability(check, entries));
}

}  // namespace

void VerifyLog::advance(std::uint64_t pages) {
  const bool tells = done_ / kProgressPages != (done_ + pages) / kProgressPages;
  done_ += pages;
  if (options_.progress && (tells || done_ == total_)) options_.progress(done_, total_);
}

SegmentCheck::SegmentCheck(const IndexFolder& index_folder, const layout::SegmentRecord& segment,
                           bool use_direct, VerifyLog& verify_log)
    : folder(index_folder),
      record(segment),
      direct(use_direct),
      log(verify_log),
      shape(index_folder.manifest().block_shape(segment)),
      map(segment, index_folder.manifest().extents_of(segment.segment)),
      occupied(segment.slot_count),
      has_in_edge(segment.slot_count),
      bucket_slots((kBucketSlotsMin + shape.slots - 1) / shape.slots * shape.slots) {
  label_sums.resize(static_cast<std::size_t>((segment.slot_count - 1) / bucket_slots + 1));
}

std::uint64_t SegmentCheck::label_hash(Label label, std::uint32_t slot) {
  return io::mix64(label + io::mix64(slot + 1ULL));
}

void SegmentCheck::problem_at(std::uint32_t slot, std::string what, std::string found,
                              std::string expected) {
  const layout::Place place = map.locate(slot);
  const auto file_record =
      std::ranges::find(folder.manifest().files, place.file_number, &layout::FileRecord::number);
  log.problem({.code = ErrorCode::corrupt,
               .what = std::move(what) + " (slot " + std::to_string(slot) + ")",
               .file = folder.path_of(*file_record),
               .block = place.block,
               .found = std::move(found),
               .expected = std::move(expected)});
}

Status check_digest(SegmentCheck& check, const layout::FileRecord& record,
                    const io::PageFileSummary& summary) {
  if (summary.digest == record.digest) return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "digest of",
               .file = check.folder.path_of(record),
               .found = std::to_string(summary.digest),
               .expected = std::to_string(record.digest)});
}

Status check_pages(SegmentCheck& check, const layout::FileRecord& record,
                   const io::PageVisitor& visit) {
  CAIRN_ASSIGN(const auto file, check.folder.open_file(record, check.direct));
  bool intact = true;
  const auto visit_good = [&](std::uint64_t page, std::span<const std::byte> bytes) -> Status {
    check.log.advance(1);
    return visit ? visit(page, bytes) : Status{};
  };
  const auto visit_bad = [&](Error error) -> Status {
    check.log.advance(1);
    check.log.problem(std::move(error));
    intact = false;
    return {};
  };
  CAIRN_ASSIGN(const auto summary,
               io::scan_pages(*file, page_file_id(record), visit_good, visit_bad));
  return intact ? check_digest(check, record, summary) : Status{};
}

Status check_codes(SegmentCheck& check, const layout::FileRecord& record,
                   std::uint32_t code_bytes) {
  check.log.note(check_pages(check, record, {}));
  CAIRN_ASSIGN(const auto plan, decode_stream(check, record, sizeof(layout::CodesHeader),
                                              [&](std::span<const std::byte> bytes) {
                                                return layout::decode_codes_header(
                                                    bytes, record.stream_bytes,
                                                    check.record.slot_count);
                                              }));
  if (plan.header.m == code_bytes && plan.header.dim == check.folder.manifest().header.dim)
    return {};
  return fail({.code = ErrorCode::corrupt,
               .what = "header of codes",
               .file = check.folder.path_of(record),
               .found = std::to_string(plan.header.m) + " bytes of dimension " +
                        std::to_string(plan.header.dim),
               .expected = std::to_string(code_bytes) + " and " +
                           std::to_string(check.folder.manifest().header.dim)});
}

Status check_entries(SegmentCheck& check, layout::Entries& entries) {
  const layout::FileRecord& record =
      *check.folder.manifest().find(check.record.segment, layout::Role::entries);
  check.log.note(check_pages(check, record, {}));
  CAIRN_ASSIGN(entries, decode_stream(check, record, static_cast<std::size_t>(record.stream_bytes),
                                      [&](std::span<const std::byte> bytes) {
                                        return layout::decode_entries(bytes,
                                                                      check.record.slot_count);
                                      }));
  if (!check.blocks_intact) return {};
  for (const auto* table : {&entries.heads, &entries.slots})
    for (const std::uint32_t slot : *table)
      if (!check.occupied.test(slot))
        check.log.problem({.code = ErrorCode::corrupt,
                           .what = "entry point",
                           .file = check.folder.path_of(record),
                           .found = "the empty slot " + std::to_string(slot),
                           .expected = "the slot of a vector"});
  return {};
}

Result<VerifyReport> verify_folder(const IndexFolder& folder, bool direct,
                                   const VerifyOptions& options) {
  VerifyReport report;
  std::uint64_t pages = 0;
  for (const layout::FileRecord& record : folder.manifest().files) pages += record.pages;
  VerifyLog log(report, options, pages);
  for (const layout::SegmentRecord& segment : folder.manifest().segments) {
    SegmentCheck check(folder, segment, direct, log);
    check_segment(check);
    if (&segment == &folder.manifest().segments.front()) check_calibration(check);
  }
  return report;
}

}  // namespace cairn::search
