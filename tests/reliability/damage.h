// What a damaged index may do: refuse, naming what is damaged, or answer as the whole one does.
#pragma once

#include <cairn/index.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/fs.h"
#include "tests/reliability/known_index.h"

namespace cairn::reliability {

struct Verdict {
  enum class Kind : std::uint8_t { refused, harmless, wrong };
  Kind kind = Kind::harmless;
  std::optional<Error> error = {};  // the first one
  std::string why = {};             // wrong
};

/// Counts of verdicts; prints what is wrong, with how it came about.
struct Tally {
  std::uint64_t refused = 0, harmless = 0, wrong = 0;
  void add(const Verdict& verdict, const std::string& damage);
  std::uint64_t total() const { return refused + harmless + wrong; }
};

/// Where damage was done. No blocks: a file as a whole.
struct Place {
  std::string file;
  std::vector<std::uint64_t> blocks = {};
};

/// What every error of a damaged index has to be about.
struct Harm {
  std::vector<Place> places = {};  // one of these; none: no error is right
  ErrorCode code = ErrorCode::corrupt;
};

/// Asks an index, or a damaged copy of it, the same questions.
class Asker {
 public:
  /// The campaign ends unless the whole index answers them.
  explicit Asker(const KnownIndex& known);

  /// Opens the folder and asks it. Held lean, and for a recall, what is found depends on the order
  /// of arrival, and the oracle alone judges it. `thorough`: also for the true neighbours of a
  /// query by a list of all vectors, and for all vectors in the order of disk.
  Verdict ask(io::Fs& fs, const std::string& folder, Held held, bool thorough, const Harm& harm,
              OpenOptions options = {}) const;

 private:
  class Round;

  const KnownIndex& known_;
};

/// An index whose damage was taken back answers, and refuses nothing.
void check_healed(const Asker& asker, io::Fs& fs, const std::string& folder, Tally& tally);
/// Why `verify`, or the open before it, does not blame the harm first; empty when it does. `opened`
/// tells which.
std::string check_blame(io::Fs& fs, const std::string& folder, const Harm& harm, bool& opened);

}  // namespace cairn::reliability
