// The parts of the campaign of corruption; see corruption.cc.
#pragma once

#include <cstdint>
#include <string>

#include "tests/reliability/campaign.h"
#include "tests/reliability/damage.h"

namespace cairn::reliability {

struct CorruptionOptions {
  std::uint64_t seed = 1;
  std::uint64_t stride = 1;       // every so-manyth bit is flipped
  std::uint64_t count = 100'000;  // random changes
  std::uint64_t structures = 12'000;
  std::string cairn = {};    // the command; empty: it is not run
  std::string scratch = {};  // a folder for real files; empty: in memory
};

struct PartResult {
  std::uint64_t done = 0, wrong = 0;
};

/// Each prints what it did.
PartResult flip_pages(const CorruptionOptions& options);
PartResult flip_metadata(const CorruptionOptions& options);
PartResult change_at_random(const CorruptionOptions& options);
PartResult break_structure(const CorruptionOptions& options);

/// An index of a few thousand vectors with a file of every role and two layers of refinement, small
/// enough to be opened 100,000 times.
SimIndexSpec small_spec(std::uint64_t seed);

}  // namespace cairn::reliability
