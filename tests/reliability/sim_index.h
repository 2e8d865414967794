// An index on a simulated disk, and what is in it.
#pragma once

#include <cairn/builder.h>

#include <memory>
#include <string>
#include <vector>

#include "layout/calibration.h"
#include "layout/manifest.h"
#include "tests/reliability/oracle.h"
#include "tests/sim/sim_fs.h"

namespace cairn::reliability {

inline constexpr char kSimFolder[] = "index";

struct SimIndexSpec {
  OracleSpec vectors;
  BuildOptions build = {};
  bool two_segments = false;  // half of the vectors each
};

/// Built on one thread and so equal for equal specs.
class SimIndex {
 public:
  explicit SimIndex(const SimIndexSpec& spec);

  const Oracle& oracle() const { return oracle_; }
  sim::SimFs& fs() const { return *fs_; }
  const layout::Manifest& manifest() const { return manifest_; }
  /// A file of the index, as a path on fs().
  static std::string path_of(const layout::FileRecord& record);
  std::vector<std::byte> bytes_of(const layout::FileRecord& record) const {
    return fs_->bytes(path_of(record));
  }

 private:
  void build(const SimIndexSpec& spec, const std::string& folder, std::uint64_t first,
             std::uint64_t count, std::uint32_t calibration_rows);

  Oracle oracle_;
  std::unique_ptr<sim::SimFs> fs_;
  layout::Manifest manifest_;
};

/// Writes the files of the index to a folder of the operating system, in place of what is there.
void write_out(sim::SimFs& fs, const std::string& folder);

/// The calibration that the folder has now; ends the campaign if there is none.
layout::Calibration calibration_of(sim::SimFs& fs);

}  // namespace cairn::reliability
