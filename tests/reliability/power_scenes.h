// What the campaign of power_loss cuts off, and what each run of it says of itself.
#pragma once

#include <cairn/builder.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/sim_fs.h"

namespace cairn::reliability {

inline constexpr char kPowerFolder[] = "index";

/// A run as far as it came, by what its caller was told.
struct PowerRun {
  Status status = {};
  std::uint64_t units = 0;   // that it found finished, if it came to its end
  std::uint64_t found = 0;   // vectors that it went on from
  std::uint64_t safe = 0;    // vectors that a loss of power may not take any more
  std::uint64_t handed = 0;  // vectors handed in, those found included
};

/// Something that is cut off, and what has to hold of what is left.
struct PowerScene {
  std::string name;
  std::function<PowerRun(sim::SimFs&)> before;
  std::function<PowerRun(io::Fs&)> act;
  bool publishes = false;  // on an index that is there; else a build
};

/// Operations so far that a run of the same makes again, whatever time it takes.
std::size_t steps_of(const sim::SimFs& fs);

/// Those of a round, with parameters drawn by seed.
std::vector<PowerScene> power_scenes(std::uint64_t seed);

}  // namespace cairn::reliability
