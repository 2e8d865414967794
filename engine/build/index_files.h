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

class IndexFiles {
 public:
  /// `refined`: whether there is a refinement, which decides the numbers.
  IndexFiles(const Job& job, std::uint64_t index_id, bool refined)
      : job_(job), index_id_(index_id), refined_(refined) {}

  /// The record of a finished file, or null.
  bool finished(layout::Role role) const;
  Result<io::PageWriter> create(layout::Role role, std::uint32_t page_bytes) const;
  /// Goes on with a file where a unit of work left it.
  Result<io::PageWriter> resume(layout::Role role, std::uint32_t page_bytes,
                                const io::PageWriterState& state) const;
  /// Ends the file; its record goes to the journal.
  Status finish(layout::Role role, std::uint32_t page_bytes, io::PageWriter& writer) const;
  /// Of all files, which are finished.
  std::vector<layout::FileRecord> records() const;

 private:
  std::uint64_t number(layout::Role role) const;
  layout::FileRecord record(layout::Role role, std::uint32_t page_bytes) const;
  std::string path(layout::Role role) const;
  io::PageFileId id(layout::Role role, std::uint32_t page_bytes) const;

  const Job& job_;
  std::uint64_t index_id_;
  bool refined_;
};

/// A writer's state as words of a record, appended and taken back from `at` on.
void append_state(const io::PageWriterState& state, Journal::Words& words);
io::PageWriterState take_state(std::span<const std::uint64_t> words, std::size_t& at);

}  // namespace cairn::build
