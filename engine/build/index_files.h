// The files of an index while they are written: numbers, identities, and what the journal knows.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/build/job.h"
#include "io/page_file.h"
#include "layout/manifest.h"

namespace cairn::build {

/// Of the one segment that a build makes.
inline constexpr std::uint64_t kSegment = 1;

/// The record of a new file: what its content decides is not in it yet.
layout::FileRecord new_file_record(std::uint64_t index_id, layout::Role role, std::uint64_t number,
                                   std::uint64_t segment, std::uint32_t page_bytes);
/// Puts what its content decided into the record of a file.
void fill_record(layout::FileRecord& record, const io::PageFileSummary& summary);

/// A file by its role, and of refinement by its layer.
struct IndexFile {
  IndexFile(layout::Role of_role, std::uint32_t of_layer = 0) : role(of_role), layer(of_layer) {}
  layout::Role role;
  std::uint32_t layer;
};

class IndexFiles {
 public:
  /// `layers`: of refinement, a file each, which decides the numbers.
  IndexFiles(const Job& job, std::uint64_t index_id, std::size_t layers)
      : job_(job), index_id_(index_id), layers_(layers) {}

  /// The record of a finished file, or null.
  bool finished(IndexFile file) const;
  Result<io::PageWriter> create(IndexFile file, std::uint32_t page_bytes) const;
  /// Goes on with a file where a unit of work left it.
  Result<io::PageWriter> resume(IndexFile file, std::uint32_t page_bytes,
                                const io::PageWriterState& state) const;
  /// Ends the file; its record goes to the journal.
  Status finish(IndexFile file, std::uint32_t page_bytes, io::PageWriter& writer) const;
  /// Of all files, which are finished.
  std::vector<layout::FileRecord> records() const;

 private:
  std::uint64_t number(IndexFile file) const;
  layout::FileRecord record(IndexFile file, std::uint32_t page_bytes) const;
  std::string path(IndexFile file) const;
  io::PageFileId id(IndexFile file, std::uint32_t page_bytes) const;

  const Job& job_;
  std::uint64_t index_id_;
  std::uint64_t layers_;
};

/// A writer's state as words of a record, appended and taken back from `at` on.
void append_state(const io::PageWriterState& state, Journal::Words& words);
/// corrupt, naming the journal, where no state stands at `at`.
Result<io::PageWriterState> take_state(std::span<const std::uint64_t> words, std::size_t& at,
                                       const std::string& journal_path);

}  // namespace cairn::build
