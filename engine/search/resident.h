// What an open index keeps in RAM of its segments: codes, refinement, navigation slices, entry
// points and the tops of the label files, loaded as the memory plan says.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/search/index_folder.h"
#include "engine/search/label_lookup.h"
#include "engine/search/memory_plan.h"
#include "engine/search/segment.h"
#include "io/aligned_buffer.h"
#include "io/stream_load.h"

namespace cairn::search {

/// Codes of one codebook, in slot order.
struct ResidentCodes {
  math::Codebook book;
  io::AlignedBuffer codes;

  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(codes.data()); }
  std::uint64_t ram_bytes() const { return codes.size() + book.bytes(); }
};

/// One segment in RAM; never changes once loaded. Views into it are valid as long as it lives.
struct ResidentSegment {
  ResidentSegment(const layout::SegmentRecord& segment, const layout::Manifest& manifest)
      : record(segment),
        shape(manifest.block_shape(segment)),
        map(segment, manifest.extents_of(segment.segment)) {}

  Segment view() const;
  std::uint64_t refine_ram_bytes() const;
  std::uint64_t nav_ram_bytes() const;
  std::uint64_t entries_ram_bytes() const;

  layout::SegmentRecord record;
  layout::BlockShape shape;
  layout::SegmentMap map;
  ResidentCodes codes;
  std::vector<ResidentCodes> refine;  // the layers that are loaded
  math::LayeredCodebook refine_book;  // of codes and refine; empty when no layer is loaded
  std::vector<const std::uint8_t*> refine_codes;
  std::uint32_t nav_bits = 0;
  bool nav_complete = false;
  std::vector<io::AlignedBuffer> nav;
  std::vector<const std::byte*> nav_views;
  layout::Entries entries;
  std::unique_ptr<LabelLookup> labels;
};

/// What of a segment decides how much RAM its parts take.
struct SegmentForm {
  std::uint64_t vectors = 0;
  std::uint32_t extents = 1;
  std::uint64_t entries_stream_bytes = 0;
  layout::CodesPlan codes;
  std::vector<layout::CodesPlan> refine;  // layers in order
  std::optional<layout::NavPlan> nav;
};

/// Bytes that loading a segment of that form allocates, by part.
SegmentParts parts_of(const SegmentForm& form);

/// The stream files of one segment before they are loaded: headers read, sizes known.
class SegmentSource {
 public:
  /// Errors of opening and decoding, naming the file.
  static Result<SegmentSource> open(const IndexFolder& folder, const layout::SegmentRecord& segment,
                                    bool direct);

  /// Bytes that load() will allocate, by part.
  SegmentParts parts() const;

  /// Reads what `plan` names, every page verified. O(bytes loaded); beside what it returns at most
  /// a copy of the entry points, or 4 MiB, given back to the system.
  Result<std::unique_ptr<ResidentSegment>> load(const SegmentPlan& plan,
                                                const io::DeviceOptions& device);

 private:
  /// A stream file and its reader.
  struct Stream {
    std::unique_ptr<io::ReadFile> file;
    std::unique_ptr<io::PageStreamReader> reader;
  };
  struct CodesSource {
    const layout::FileRecord* record = nullptr;
    Stream stream;
    layout::CodesPlan plan;
  };

  SegmentSource(const IndexFolder& folder, const layout::SegmentRecord& segment, bool direct)
      : folder_(&folder), segment_(segment), direct_(direct) {}
  Result<Stream> open_stream(const layout::FileRecord& file) const;
  /// `code_bytes`: what the header must say.
  Result<CodesSource> open_codes(const layout::FileRecord& file, std::uint32_t code_bytes) const;
  Status open_nav();
  /// These allocate and add what is to be read.
  using Ranges = std::vector<io::StreamRange>;
  static Status plan_codes(const CodesSource& source, ResidentCodes& into, Ranges& ranges);
  Status plan_refinement(std::uint32_t layers, ResidentSegment& into, Ranges& ranges) const;
  Status plan_nav(std::uint32_t slices, ResidentSegment& into, Ranges& ranges) const;
  const layout::FileRecord& record(layout::Role role) const {
    return *folder_->manifest().find(segment_.segment, role);
  }

  const IndexFolder* folder_;
  layout::SegmentRecord segment_;
  bool direct_;
  CodesSource codes_;
  std::vector<CodesSource> refine_;  // layers in order
  Stream nav_;
  layout::NavPlan nav_plan_;
  Stream entries_;
};

}  // namespace cairn::search
