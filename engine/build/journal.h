// The journal of a build: which units of work are finished and what they made. Append-only; every
// record is checksummed and synced before the next unit begins, and only after everything that it
// names is. A record that was cut off ends the journal: its unit is done again.
#pragma once

#include <cairn/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/fs.h"

namespace cairn::build {

inline constexpr std::string_view kJournalName = "JOURNAL";

/// What a record is about. Of one kind there is one record a unit.
enum class Unit : std::uint32_t {
  head = 1,  // parameters, counts
  sample,    // the input was read once: digest, sample
  cells,     // partitions
  codebooks,
  scatter,
  link,
  merge,
  repair = 9,
  stream,  // a whole file of the index but the one the write units grow
  write,
  plan,      // as it was told
  done,      // what is left is to tidy up and publish
  unusable,  // the input cannot be built: nothing here is worth keeping
  labels,
  spool,  // vectors handed over by the caller
};

/// Words that a record of a kind has at least, so that who reads it need not ask. A record of fewer
/// is another builder's: it ends the journal.
std::uint32_t words_min(Unit kind);

class Journal {
 public:
  using Words = std::vector<std::uint64_t>;

  /// The journal in `folder`, with what an earlier run wrote; empty when there is none.
  static Result<Journal> open(io::Fs& fs, const std::string& folder);
  /// Whether the journal of `folder` says that all is done; false when it cannot be read.
  static bool finished(io::Fs& fs, const std::string& folder);

  /// Null when the unit is not finished.
  const Words* find(Unit kind, std::uint64_t unit = 0) const;
  Status append(Unit kind, std::uint64_t unit, Words words);
  std::string path() const { return folder_ + "/" + std::string(kJournalName); }
  bool empty() const { return records_.empty(); }
  std::size_t size() const { return records_.size(); }

 private:
  Journal(io::Fs& fs, std::string folder) : fs_(&fs), folder_(std::move(folder)) {}
  /// Takes the records of `bytes`; returns how many bytes they are.
  std::uint64_t parse(std::span<const std::byte> bytes);
  /// Whole records as bytes.
  Result<std::vector<std::byte>> load();
  /// Goes on in a copy: a record whose sync failed may be read here and be gone after a loss of
  /// power, when what it made superfluous is gone too.
  Status take_over();
  /// The file of one that goes on knows itself by the name of the copy, which is gone.
  Status named(Status written) const;

  io::Fs* fs_;
  std::string folder_;
  std::map<std::pair<Unit, std::uint64_t>, Words> records_;
  std::unique_ptr<io::WriteFile> file_;
};

}  // namespace cairn::build
