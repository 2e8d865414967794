// A build small enough to be run thousands of times on a simulated file system, and what it gives
// when nobody disturbs it.
#pragma once

#include <cairn/builder.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/engine/build/build_test_util.h"
#include "tests/sim/sim_fs.h"

namespace cairn::build::tiny {

inline constexpr char kTarget[] = "index";
inline constexpr char kWork[] = "index.building";

/// Three partitions, one thread.
BuildOptions options();

/// Few vectors, spread evenly so that many lie near borders, a tenth of them equal, with labels.
struct Input {
  Rows rows{io::random_bytes(450, 1), 3, DType::u8};
  std::vector<Label> labels;
  Input();
};
const Input& input();
RowsSource source_of();

Result<BuildReport> build_on(io::Fs& fs, const BuildOptions& with = options());

using Files = std::map<std::string, std::vector<std::byte>>;
/// Of the index.
Files files_of(sim::SimFs& fs);

struct Undisturbed {
  std::vector<sim::OpRecord> operations;
  Files files;
  BuildReport report;
  std::uint64_t calls = 0;          // of progress
  std::uint64_t begun_records = 0;  // of the journal once the first pass is one of them
};
const Undisturbed& undisturbed();

/// Records of the journal that are safe before operation `at`.
std::uint64_t records_before(const std::vector<sim::OpRecord>& operations, std::uint64_t at);
/// Whether a run whose operation `at` went wrong had done its first pass.
bool had_begun(const sim::SimFs& fs, std::uint64_t at);

/// The same call on the same file system must end as if nothing had happened.
void expect_goes_on(sim::SimFs& fs, const BuildOptions& with = options());

}  // namespace cairn::build::tiny
