// What a build will take, before it starts. Times come from the build itself, run on a few thousand
// of its vectors in the place where it will stand: every phase, its kernels and its files are
// measured on this machine and these vectors, and scaled by what is known of each.
#pragma once

#include <cairn/builder.h>
#include <cairn/result.h>

#include <cstdint>
#include <string>

#include "engine/build/budget.h"
#include "engine/build/journal.h"
#include "io/fs.h"

namespace cairn::build {

/// The plan of building `count` vectors like those of `source` in `target`. `options` are complete
/// (memory, threads). Takes a few seconds and a folder beside the target, which it removes again.
/// Without `calibrate` nothing is measured and times are 0. Errors as of make_budget and of a
/// build; no_space when the finished index alone cannot have room; over_limit above
/// options.disk_bytes.
Result<BuildPlan> make_plan(io::Fs& fs, const std::string& target, VectorSource& source,
                            const BuildOptions& options, std::uint64_t count, bool calibrate);

/// Times of phases are worth measuring from here on: with a graph that is kept a build takes an
/// eighth of the time.
inline constexpr std::uint64_t kCalibrateFrom = 200'000, kCalibrateKeptFrom = 8 * kCalibrateFrom;

/// A plan as words of the journal, and back.
Journal::Words plan_words(const BuildPlan& plan);
BuildPlan plan_from(const Journal::Words& words);

}  // namespace cairn::build
