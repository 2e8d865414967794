// The parts of verify: what is known of a segment, and the checks that fill and compare it. Each
// check reports what it finds and goes on; a Status that fails is a problem of its own that ends
// that check alone.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/search/block_scan.h"
#include "engine/search/index_folder.h"
#include "engine/search/reach.h"
#include "layout/segment_map.h"
#include "layout/streams.h"

namespace cairn::search {

/// Counts problems, collects them up to the bound, and counts progress in pages.
class VerifyLog {
 public:
  VerifyLog(VerifyReport& report, const VerifyOptions& options, std::uint64_t pages_total)
      : report_(report), options_(options), total_(pages_total) {}

  VerifyReport& report() { return report_; }
  void problem(Error error) {
    ++report_.problem_count;
    if (report_.problems.size() < options_.problems_max)
      report_.problems.push_back(std::move(error));
  }
  void note(Status status) {
    if (!status) problem(std::move(status).error());
  }
  void advance(std::uint64_t pages);

 private:
  VerifyReport& report_;
  const VerifyOptions& options_;
  std::uint64_t done_ = 0;
  std::uint64_t total_;
};

/// A segment under verification.
struct SegmentCheck {
  SegmentCheck(const IndexFolder& index_folder, const layout::SegmentRecord& segment,
               bool use_direct, VerifyLog& verify_log);

  const IndexFolder& folder;
  const layout::SegmentRecord& record;
  const bool direct;
  VerifyLog& log;
  const layout::BlockShape shape;
  const layout::SegmentMap map;

  SlotBits occupied;
  SlotBits has_in_edge;
  /// Sum of a hash of (label, slot) over each bucket of whole blocks: blocks add, the labels file
  /// subtracts, and what agrees leaves 0.
  std::vector<std::uint64_t> label_sums;
  std::uint32_t bucket_slots;
  std::uint64_t vectors = 0, edges = 0;
  bool blocks_intact = true;  // every block could be read

  static std::uint64_t label_hash(Label label, std::uint32_t slot);
  /// A problem with the block of `slot`.
  void problem_at(std::uint32_t slot, std::string what, std::string found, std::string expected);
};

/// corrupt unless the digest is the manifest's.
Status check_digest(SegmentCheck& check, const layout::FileRecord& record,
                    const io::PageFileSummary& summary);

/// Scans a file: every page, then the digest. `visit` sees the good pages.
Status check_pages(SegmentCheck& check, const layout::FileRecord& record,
                   const io::PageVisitor& visit);

/// Blocks against their own invariants, the counts of the manifest and the navigation file.
Status check_blocks(SegmentCheck& check);
/// Entry points: decoded, and each of an occupied slot.
Status check_entries(SegmentCheck& check, layout::Entries& entries);
/// Labels: ascending, each once, the levels of the tree agree, and so do the blocks.
Status check_labels(SegmentCheck& check);
/// Codes, or a layer of refinement: pages, digest, header.
Status check_codes(SegmentCheck& check, const layout::FileRecord& record, std::uint32_t code_bytes);

}  // namespace cairn::search
